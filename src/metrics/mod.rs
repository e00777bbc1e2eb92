//! One table of families; one collector over the snapshot.
