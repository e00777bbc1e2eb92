//! `/api/v1/events` as a stream of server-sent events.

mod places;

use std::collections::VecDeque;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::watch;

use super::Context;
use super::document::EventDoc;

use places::Place;
pub(super) use places::{Client, Places, STREAMS_MAX};

/// The data of the `lost` marker: there were events after this number that can't be told any more.
#[derive(Serialize)]
struct Lost {
    after: u64,
}

/// One reader.
struct Reader {
    context: Context,
    newest: watch::Receiver<u64>,
    last: u64,
    pending: VecDeque<EventDoc>,
    _place: Place,
}

/// Everything after `last`, then what happens, for as long as the reader stays and has its place.
pub(super) fn events(context: Context, last: u64, place: Place) -> impl IntoResponse {
    let mut newest = context.shared.events.subscribe();
    newest.mark_changed();
    let lost = place.lost();
    let reader = Reader { context, newest, last, pending: VecDeque::new(), _place: place };
    Sse::new(told(reader).take_until(lost)).keep_alive(KeepAlive::default())
}

fn told(reader: Reader) -> impl Stream<Item = Result<Event, axum::Error>> {
    stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((event, reader))
    })
}

impl Reader {
    /// The next event or marker; `None` when the daemon's log is gone.
    async fn next(&mut self) -> Option<Result<Event, axum::Error>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                self.last = event.id;
                return Some(Event::default().id(event.id.to_string()).json_data(&event));
            }
            self.newest.changed().await.ok()?;
            let (events, lost) = self.context.events_after(self.last);
            self.pending = events.into();
            if lost {
                let marker = Lost { after: self.last };
                // From here on the numbers are those of the log as it is now.
                self.last = self.pending.front().map_or(0, |event| event.id - 1);
                return Some(Event::default().event("lost").json_data(&marker));
            }
        }
    }
}
