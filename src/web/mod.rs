//! axum: pages and API.

pub mod document;
