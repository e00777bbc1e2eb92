//! axum: pages and API.
