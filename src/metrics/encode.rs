//! The two text formats: Prometheus 0.0.4 and OpenMetrics 1.0, with the same series in both.
//!
//! One writer makes both, because they must not differ where it counts: `prometheus`'s own encoder writes bucket bounds as
//! `le="1"` and infinity as `inf`, and would make other series, or none, of what OpenMetrics calls `le="1.0"` and `+Inf`.

use std::fmt::Write;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::family::Collected;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What goes into `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that an `Accept` header prefers: OpenMetrics where it is named and not put behind plain text.
    pub fn preferred(accept: &str) -> Self {
        let (mut text, mut open) = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameter = |wanted: &str| {
                parts.clone().find_map(|p| {
                    let (name, value) = p.split_once('=')?;
                    name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
                })
            };
            let quality = parameter("q").map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            match media.as_str() {
                "application/openmetrics-text" if matches!(parameter("version"), None | Some("1.0.0")) => {
                    open = quality.max(open);
                }
                "text/plain" | "text/*" | "*/*" => text = quality.max(text),
                _ => {}
            }
        }
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Text }
    }
}

/// Prints `families`; those without samples are left out.
pub(super) fn encode<'a>(families: impl Iterator<Item = Collected<'a>>, format: Format) -> String {
    let mut out = String::with_capacity(64 * 1024);
    for Collected { family, common } in families.filter(|f| !f.family.get_metric().is_empty()) {
        head(&mut out, &family, format);
        for (metric, common) in family.get_metric().iter().zip(common) {
            samples(&mut out, &family, metric, common);
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn head(out: &mut String, family: &MetricFamily, format: Format) {
    let (kind, mut name) = (family.get_field_type(), family.name());
    if format == Format::OpenMetrics && kind == MetricType::COUNTER {
        // OpenMetrics names the family, and the sample adds the suffix.
        name = name.strip_suffix("_total").unwrap_or(name);
    }
    let word = match kind {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        _ => "gauge",
    };
    let _ = write!(out, "# HELP {name} ");
    escape(out, family.help(), format == Format::OpenMetrics);
    let _ = writeln!(out, "\n# TYPE {name} {word}");
}

/// Labels as they are printed, between commas.
pub(super) fn labels(pairs: &[LabelPair]) -> String {
    let mut out = String::new();
    for pair in pairs {
        if !out.is_empty() {
            out.push(',');
        }
        label(&mut out, pair);
    }
    out
}

fn label(out: &mut String, pair: &LabelPair) {
    out.push_str(pair.name());
    out.push_str("=\"");
    escape(out, pair.value(), true);
    out.push('"');
}

fn samples(out: &mut String, family: &MetricFamily, metric: &Metric, common: &str) {
    let (name, labels) = (family.name(), (common, metric.get_label()));
    match family.get_field_type() {
        MetricType::COUNTER => sample(out, name, "", labels, None, metric.get_counter().get_value()),
        MetricType::HISTOGRAM => {
            let histogram = metric.get_histogram();
            for bucket in histogram.get_bucket() {
                let count = bucket.cumulative_count() as f64;
                sample(out, name, "_bucket", labels, Some(bucket.upper_bound()), count);
            }
            let count = histogram.get_sample_count() as f64;
            sample(out, name, "_bucket", labels, Some(f64::INFINITY), count);
            sample(out, name, "_sum", labels, None, histogram.get_sample_sum());
            sample(out, name, "_count", labels, None, count);
        }
        _ => sample(out, name, "", labels, None, metric.get_gauge().get_value()),
    }
}

fn sample(
    out: &mut String,
    name: &str,
    suffix: &str,
    (common, own): (&str, &[LabelPair]),
    bound: Option<f64>,
    value: f64,
) {
    out.push_str(name);
    out.push_str(suffix);
    let mut separator = '{';
    if !common.is_empty() {
        out.push(separator);
        separator = ',';
        out.push_str(common);
    }
    for pair in own {
        out.push(separator);
        separator = ',';
        label(out, pair);
    }
    if let Some(bound) = bound {
        out.push(separator);
        separator = ',';
        out.push_str("le=\"");
        number(out, bound, true);
        out.push('"');
    }
    if separator == ',' {
        out.push('}');
    }
    out.push(' ');
    number(out, value, false);
    out.push('\n');
}

fn number(out: &mut String, value: f64, canonical: bool) {
    let _ = if value == f64::INFINITY {
        out.write_str("+Inf")
    } else if value == f64::NEG_INFINITY {
        out.write_str("-Inf")
    } else if canonical {
        write!(out, "{value:?}")
    } else if value.fract() == 0.0 && value.abs() < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        // Nearly all are whole numbers, and those are written much faster as such.
        write!(out, "{}", value as i64)
    } else {
        write!(out, "{value}")
    };
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    if !text.contains(['\\', '\n', '"']) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_spoken_only_to_those_who_prefer_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"; q=0.5, */*;q=0.1", Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml", Format::Text),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            ("application/openmetrics-text;q=0.3,text/plain;q=0.9", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=nonsense", Format::Text),
        ] {
            assert_eq!(Format::preferred(accept), format, "{accept}");
        }
    }

    #[test]
    fn infinity_is_written_as_both_formats_want_it() {
        let mut out = String::new();
        for (value, canonical) in [
            (f64::INFINITY, false),
            (f64::NEG_INFINITY, false),
            (1.0, true),
            (1.0, false),
            (-0.0, false),
            (-3.0, false),
            (0.25, false),
            (1e300, false),
        ] {
            number(&mut out, value, canonical);
            out.push(' ');
        }
        assert_eq!(out, format!("+Inf -Inf 1.0 1 -0 -3 0.25 {} ", 1e300));
    }
}
