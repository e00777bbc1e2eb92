//! What is secret in a record, made unreadable before it is written.

use std::sync::Arc;

use ring::error::Unspecified;
use ring::hmac;
use ring::rand::SystemRandom;

use crate::observe::{Fact, Settings};
use crate::wire::{Auth, Seen};

use super::Input;

/// Puts something else in place of each password: the same for the same, another for another, for that is all that a verdict
/// asks of it. What it is comes from a random key that nobody is told and that is gone with this value.
pub struct Mask(hmac::Key);

impl Mask {
    /// A mask like no other.
    ///
    /// # Errors
    /// The kernel has no randomness.
    pub fn new() -> Result<Self, Unspecified> {
        Ok(Self(hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?))
    }

    /// Masks whatever is secret in `input`.
    pub fn hide(&self, input: &mut Input) {
        match input {
            Input::Start { settings, .. } | Input::Settings(settings) => self.hide_settings(settings),
            Input::Fact(fact) => self.hide_fact(fact),
            Input::Turn | Input::Judge | Input::Clock(_) | Input::Forget(_) | Input::Event(_) | Input::Lost(_) => {}
        }
    }

    fn hide_settings(&self, settings: &mut Settings) {
        settings.routers.iter_mut().filter_map(|router| router.auth.as_mut()).for_each(|auth| self.hide_auth(auth));
    }

    /// Every kind is named: whoever adds one says here whether it holds a secret.
    fn hide_fact(&self, fact: &mut Fact) {
        match fact {
            Fact::Frame(frame) => {
                if let Seen::Advert(advert) = &mut frame.seen {
                    self.hide_auth(&mut advert.auth);
                }
            }
            Fact::Told(told) => Arc::make_mut(told).iter_mut().for_each(|told| self.hide_auth(&mut told.auth)),
            Fact::Delivered(_)
            | Fact::Link(_)
            | Fact::LinkGone(_)
            | Fact::Address(_)
            | Fact::AddressGone { .. }
            | Fact::Daemon(_)
            | Fact::OutputTest { .. }
            | Fact::NeighboursFull(_)
            | Fact::Ping { .. }
            | Fact::PeerReport { .. }
            | Fact::Capture { .. }
            | Fact::Sensor { .. }
            | Fact::TapOverrun(_)
            | Fact::LoopLate(_)
            | Fact::Speaking { .. } => {}
        }
    }

    fn hide_auth(&self, auth: &mut Auth) {
        match auth {
            Auth::Password(password) => {
                let tag = hmac::sign(&self.0, password);
                password.iter_mut().zip(tag.as_ref()).for_each(|(byte, masked)| *byte = *masked);
            }
            Auth::None | Auth::Header | Auth::HmacTrailer => {}
        }
    }
}
