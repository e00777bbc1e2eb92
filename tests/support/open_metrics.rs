//! OpenMetrics 1.0: its grammar, and those of its rules that concern counters, gauges and histograms. Prometheus's own reader asks for
//! less.

use std::collections::BTreeSet;

/// A sample's labels: names and values.
type Labels<'t> = Vec<(&'t str, &'t str)>;

/// A family that has begun.
struct Family<'t> {
    name: &'t str,
    kind: &'t str,
    has_samples: bool,
}

/// What is read so far.
#[derive(Default)]
struct Reader<'t> {
    family: Option<Family<'t>>,
    /// Families, and what was said of each: nothing comes twice.
    seen: BTreeSet<(&'t str, &'t str)>,
    series: BTreeSet<(&'t str, Labels<'t>)>,
    /// The labels of the histogram that is read, its last bound, and what was counted up to there.
    buckets: Option<(Labels<'t>, f64, f64)>,
}

/// Fails with the first line that is wrong.
pub fn check(text: &str) -> Result<(), String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with `# EOF`")?;
    let mut reader = Reader::default();
    for line in body.split_terminator('\n') {
        let read = match line.strip_prefix("# ") {
            Some(metadata) => reader.metadata(metadata),
            None => reader.sample(line),
        };
        read.ok_or_else(|| format!("{line:?}"))?;
    }
    Ok(())
}

impl<'t> Reader<'t> {
    fn metadata(&mut self, line: &'t str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        let (name, text) = rest.split_once(' ')?;
        let is_new = self.family.as_ref().is_none_or(|family| family.name != name);
        if is_new {
            self.family = Some(Family { name, kind: "unknown", has_samples: false });
            // A family's lines stand together.
            self.seen.insert((name, "")).then_some(())?;
        }
        let family = self.family.as_mut()?;
        let is_good = match word {
            "TYPE" => {
                family.kind = text;
                ["gauge", "counter", "histogram"].contains(&text)
            }
            "HELP" => unescaped(text),
            _ => false,
        };
        let is_first = self.seen.insert((name, word));
        (is_name(name, ":") && is_good && is_first && !family.has_samples).then_some(())
    }

    fn sample(&mut self, line: &'t str) -> Option<()> {
        let family = self.family.as_mut()?;
        family.has_samples = true;
        let kind = family.kind;
        let (series, value) = line.rsplit_once(' ')?;
        let value = number(value)?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, pairs(labels.strip_suffix('}')?)?),
            None => (series, Vec::new()),
        };
        let is_right = match (kind, name.strip_prefix(family.name)?) {
            ("gauge", "") => true,
            ("counter", "_total") => value >= 0.0,
            ("histogram", "_bucket") => self.bucket(&labels, value)?,
            ("histogram", "_sum") => {
                self.buckets.as_ref().is_some_and(|(of, bound, _)| *of == labels && *bound == f64::INFINITY)
            }
            ("histogram", "_count") => {
                self.buckets.as_ref().is_some_and(|(of, _, count)| *of == labels && *count == value)
            }
            _ => false,
        };
        (is_right && self.series.insert((name, labels))).then_some(())
    }

    /// Whether a bucket comes behind the one before it, or begins a histogram.
    fn bucket(&mut self, labels: &[(&'t str, &'t str)], count: f64) -> Option<bool> {
        let (_, written) = labels.iter().find(|(name, _)| *name == "le")?;
        let bound = number(written)?;
        // 1 and 1.0 would be two series.
        let is_canonical = *written == "+Inf" || written.contains('.');
        let of: Vec<_> = labels.iter().filter(|(name, _)| *name != "le").copied().collect();
        let follows = match &self.buckets {
            Some((last, before, below)) if *last == of => *before < bound && *below <= count,
            Some((_, before, _)) => *before == f64::INFINITY,
            None => true,
        };
        self.buckets = Some((of, bound, count));
        Some(follows && is_canonical)
    }
}

fn is_name(name: &str, more: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
    name.chars().all(is_good) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// True if every backslash and quote in it is escaped, in one of the three ways.
fn unescaped(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return false,
            '\\' if !matches!(chars.next(), Some('\\' | '"' | 'n')) => return false,
            _ => {}
        }
    }
    true
}

fn number(text: &str) -> Option<f64> {
    let is_written_so = text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    if is_written_so {
        text.parse().ok()
    } else {
        matches!(text, "+Inf" | "-Inf" | "NaN").then(|| text.parse().ok())?
    }
}

/// Labels with their values, each name once.
fn pairs(mut text: &str) -> Option<Vec<(&str, &str)>> {
    let (mut found, mut names) = (Vec::new(), BTreeSet::new());
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let value = &rest[..end?.0];
        (is_name(name, "") && names.insert(name) && unescaped(value)).then_some(())?;
        found.push((name, value));
        let rest = &rest[value.len() + 1..];
        text = if rest.is_empty() { rest } else { rest.strip_prefix(',').filter(|more| !more.is_empty())? };
    }
    Some(found)
}
