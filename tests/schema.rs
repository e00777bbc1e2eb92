//! The JSON Schemas in `docs/schema` against what is served.

#[path = "support/json_schema.rs"]
mod json_schema;
#[path = "support/snapshot.rs"]
mod scene;

use std::sync::Arc;

use json_schema::Schema;
use serde_json::Value;
use vipwarden::config::ClusterKey;
use vipwarden::engine::Logged;
use vipwarden::engine::peers::document;
use vipwarden::engine::peers::seal::Seal;
use vipwarden::web::document::{EventDoc, StatusDoc};

const STATUS: &str = include_str!("../docs/schema/status.json");
const PEER: &str = include_str!("../docs/schema/peer.json");
const EVENTS: &str = include_str!("../docs/schema/events.json");

#[test]
fn every_status_conforms_and_no_field_of_the_schema_is_an_empty_promise() {
    let mut schema = Schema::new(STATUS);
    for snapshot in [scene::rich(), scene::empty(), scene::hostile("<script>")] {
        let shared = scene::shared(snapshot.clone());
        schema.check(&serde_json::to_value(StatusDoc::new(&shared.identity, &snapshot)).unwrap()).unwrap();
    }
    assert_eq!(schema.unmet(), Vec::<String>::new());
}

#[test]
fn every_answer_to_a_peer_conforms_signed_or_not() {
    let mut schema = Schema::new(PEER);
    let key = ClusterKey { path: "key".into(), secret: vec![7; 32] };
    let mut snapshot = scene::rich();
    Arc::make_mut(&mut snapshot.routers[0]).findings[0].here = true;
    for seal in [None, Some(Seal::new(&key))] {
        let answer =
            document::answer(&scene::shared(snapshot.clone()).identity, &snapshot, snapshot.at, "n", seal.as_ref());
        schema.check(&serde_json::to_value(answer.unwrap()).unwrap()).unwrap();
    }
    assert_eq!(schema.unmet(), Vec::<String>::new());
}

#[test]
fn every_event_conforms() {
    let mut schema = Schema::new(EVENTS);
    let clock = scene::empty().clock;
    let mut node_event = scene::event("the cable was pulled");
    (node_event.router, node_event.vip, node_event.id, node_event.from) = (String::new(), None, None, None);
    let events = [scene::event("two masters"), node_event];
    let documents: Vec<_> =
        events.into_iter().zip(1..).map(|(event, id)| EventDoc::new(&Logged { id, event, clock })).collect();
    schema.check(&serde_json::to_value(documents).unwrap()).unwrap();
    assert_eq!(schema.unmet(), Vec::<String>::new());
}

#[test]
fn the_check_finds_a_missing_key_a_foreign_key_and_a_wrong_type() {
    let snapshot = scene::rich();
    let status = serde_json::to_value(StatusDoc::new(&scene::shared(snapshot.clone()).identity, &snapshot)).unwrap();
    let refused = |change: fn(&mut Value)| {
        let (mut schema, mut status) = (Schema::new(STATUS), status.clone());
        change(&mut status);
        schema.check(&status).unwrap_err()
    };
    assert_eq!(refused(|s| drop(s.as_object_mut().unwrap().remove("node"))), "$: no \"node\"");
    assert_eq!(refused(|s| s["routers"][0]["new"] = 1.into()), "$.routers[0]: new is in no schema");
    assert!(refused(|s| s["routers"][0]["vlan"] = "7".into()).starts_with("$.routers[0].vlan: string"));
    assert!(refused(|s| s["routers"][0]["vrid"] = 256.into()).ends_with("256 is out of range"));
}
