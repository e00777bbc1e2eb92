//! Mishaps as they are given on the command line: `sigstop lb01 at 2s for 3s`.

use crate::sim::{Fault, Mishap, Nodes, Wall, Weather};
use crate::time::Duration;

use super::node::duration;

/// A mishap in words, with its times read already.
#[derive(Clone, Debug)]
pub struct Told {
    text: String,
    what: Vec<String>,
    at: Duration,
    lasts: Option<Duration>,
}

/// Reads `WHAT at TIME [for TIME]`.
pub fn parse(text: &str) -> Result<Told, String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let at = words.iter().rposition(|word| word == "at").ok_or("say when: 'sigstop lb01 at 2s for 3s'")?;
    let (what, when) = words.split_at(at);
    let (start, lasts) = match when {
        [_, start] => (start, None),
        [_, start, word, lasts] if word == "for" => (start, Some(duration(lasts)?)),
        _ => return Err("want 'at TIME' or 'at TIME for TIME' at its end".into()),
    };
    if what.is_empty() {
        return Err("say what goes wrong: 'sigstop lb01 at 2s for 3s'".into());
    }
    Ok(Told { text: text.into(), what: what.to_vec(), at: duration(start)?, lasts })
}

impl Told {
    /// What goes wrong, in a world with these nodes and of this length.
    ///
    /// # Errors
    /// In words: there is no such mishap or node, or it comes too late.
    pub fn resolve(&self, names: &[&str], length: Duration) -> Result<Vec<Mishap>, String> {
        if self.at >= length {
            return Err(format!("{:?}: it is over at {length:?}, look longer with --for", self.text));
        }
        let faults = self.faults(names).map_err(|why| format!("{:?}: {why}", self.text))?;
        Ok(faults.into_iter().map(|fault| Mishap { at: self.at, lasts: self.lasts, fault }).collect())
    }

    fn faults(&self, names: &[&str]) -> Result<Vec<Fault>, String> {
        let words: Vec<&str> = self.what.iter().map(String::as_str).collect();
        let node = |name: &str| {
            let known = names.iter().position(|known| *known == name);
            known.ok_or_else(|| format!("there is no node {name}, there are {}", names.join(", ")))
        };
        let all = Nodes(((1u16 << names.len()) - 1) as u8);
        let fault = match words.as_slice() {
            ["sigstop", name] => Fault::Pause(node(name)?),
            ["sigkill", name] => Fault::Kill(node(name)?),
            ["sigterm", name] => Fault::Stop(node(name)?),
            ["power", name] => Fault::PowerOff(node(name)?),
            ["cable", name] => Fault::Cable(node(name)?),
            ["input-drop", name] => Fault::Firewall(node(name)?, Wall::Input),
            ["output-drop", name] => Fault::Firewall(node(name)?, Wall::Output),
            ["ingress-drop", name] => Fault::Firewall(node(name)?, Wall::Ingress),
            ["delete-address", name] => Fault::DeleteAddress(node(name)?),
            ["add-address", name] => Fault::AddAddress(node(name)?),
            ["handover", name] => Fault::HandOver(node(name)?),
            ["netlink-broken", name] => Fault::BrokenKernel(node(name)?),
            ["netlink-slow", name, delay] => Fault::SlowKernel(node(name)?, duration(delay)?),
            ["arbiter-stalls"] => Fault::ArbiterStalls,
            ["arbiter-down"] => Fault::ArbiterDown,
            ["arbiter-forgets"] => Fault::ArbiterForgets,
            ["arbiter-cut", name] => Fault::ArbiterCut(node(name)?),
            ["channel-cut", name] => Fault::ChannelCut(node(name)?),
            ["isolate", name] => Fault::Isolate(node(name)?),
            ["priority", name, worth] => {
                let worth = worth.parse().ok().filter(|worth| (1..=254).contains(worth));
                Fault::Priority(node(name)?, worth.ok_or("a priority is 1 to 254")?)
            }
            ["loss", share] => Fault::Weather(Weather { loss_ppm: (percent(share)? * 1e4) as u32, ..Weather::CLEAR }),
            ["delay", delay] => {
                let delay = duration(delay)?;
                Fault::Weather(Weather { delay_min: delay, delay_max: delay, ..Weather::CLEAR })
            }
            ["one-way", from, "to", to] => Fault::Cut { from: Nodes::one(node(from)?), to: Nodes::one(node(to)?) },
            ["partition", side] => {
                let mut from = Nodes::default();
                for name in side.split(',') {
                    from.set(node(name)?, true);
                }
                let to = Nodes(all.0 & !from.0);
                if to == Nodes::default() {
                    return Err("nobody is on the other side".into());
                }
                return Ok(vec![Fault::Cut { from, to }, Fault::Cut { from: to, to: from }]);
            }
            _ => return Err("no such fault; `vipwarden simulate --help` lists them".into()),
        };
        Ok(vec![fault])
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    number.filter(|number| (0.0..=100.0).contains(number)).ok_or_else(|| "want a share like 20%".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["lb01", "lb02"];

    fn read(text: &str) -> Result<Vec<Mishap>, String> {
        parse(text)?.resolve(&NAMES, Duration::from_secs(30))
    }

    #[test]
    fn a_mishap_says_what_when_and_how_long() {
        let (at, lasts) = (Duration::from_secs(2), Some(Duration::from_millis(300)));
        assert_eq!(read("sigstop lb01 at 2s for 300ms"), Ok(vec![Mishap { at, lasts, fault: Fault::Pause(0) }]));
        assert_eq!(read("power lb02 at 2s"), Ok(vec![Mishap { at, lasts: None, fault: Fault::PowerOff(1) }]));
        assert_eq!(read("partition lb01 at 2s for 1s").unwrap().len(), 2, "both directions");
        let weather = Weather { loss_ppm: 205_000, ..Weather::CLEAR };
        assert_eq!(read("loss 20.5% at 2s").unwrap()[0].fault, Fault::Weather(weather));
    }

    #[test]
    fn what_can_not_be_is_refused_with_what_to_write_instead() {
        for (text, says) in [
            ("sigstop lb01", "say when"),
            ("at 2s", "say what"),
            ("sigstop lb01 at 2s 3s", "at TIME for TIME"),
            ("sigstop lb01 at soon", "500ms"),
            ("sigstop lb09 at 2s", "there is no node lb09, there are lb01, lb02"),
            ("explode lb01 at 2s", "no such fault"),
            ("loss much at 2s", "20%"),
            ("partition lb01,lb02 at 2s", "nobody is on the other side"),
            ("sigstop lb01 at 30s", "--for"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(says), "{text}: {why}");
        }
    }
}
