//! How a verdict looks, and a fence: a word and a shape, and only then a colour.

/// The face of a verdict, or of a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Face {
    /// Class in the style sheet.
    pub class: &'static str,
    /// What people read.
    pub word: &'static str,
    /// Worst first: the higher, the worse.
    pub severity: u8,
    /// SVG path in a square of 24, filled by the even-odd rule.
    path: &'static str,
    /// Of the tab's icon; the page has its own colours in the style sheet.
    colour: &'static str,
}

const HEALTHY: Face = Face {
    class: "healthy",
    word: "HEALTHY",
    severity: 0,
    path: "M12 1.5a10.5 10.5 0 1 0 0 21a10.5 10.5 0 0 0 0-21zM10.4 17L5.8 12.4l1.8-1.8 2.8 2.8 6-6 1.8 1.8z",
    colour: "1a7f37",
};

const DEGRADED: Face = Face {
    class: "degraded",
    word: "DEGRADED",
    severity: 1,
    path: "M12 1.5L23.5 22H.5zM10.8 9v6.5h2.4V9zM10.8 17v2.4h2.4V17z",
    colour: "9a6700",
};

/// Also the face of a verdict that this version doesn't know, and of nothing seen yet.
pub(super) const UNKNOWN: Face = Face {
    class: "unknown",
    word: "UNKNOWN",
    severity: 2,
    path: "M12 .5L23.5 12 12 23.5.5 12zM8.6 9.9h2.2a1.3 1.3 0 1 1 2 1.1c-1.2.8-1.9 1.5-1.9 3.2h2.2c0-.9.3-1.2 1-1.6\
           a3.5 3.5 0 1 0-5.5-2.7zM10.8 15.6v2.3h2.4v-2.3z",
    colour: "57606a",
};

const NO_MASTER: Face = Face {
    class: "no_master",
    word: "NO MASTER",
    severity: 3,
    path: "M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9zM8.9 5L5 8.9v6.2L8.9 19h6.2l3.9-3.9V8.9L15.1 5z",
    colour: "cf222e",
};

const SPLIT_BRAIN: Face = Face {
    class: "split_brain",
    word: "SPLIT BRAIN",
    severity: 4,
    path: "M10.2 1.6a10.5 10.5 0 0 0 0 20.8l-1.6-5.6 3.2-4.6-3.4-5zM13.8 1.6a10.5 10.5 0 0 1 0 20.8l-1.4-5.4 3.2-4.6-3.4-5z",
    colour: "cf222e",
};

/// This node took itself out. That is no verdict: another node may serve; but this one stands in for nobody.
pub(super) const FENCED: Face = Face {
    class: "fenced",
    word: "FENCED",
    severity: 1,
    path: "M3 7l2.5-4L8 7v3h1.5V7L12 3l2.5 4v3H16V7l2.5-4L21 7v3h2v2.5h-2V16h2v2.5h-2V22h-5v-3.5h-1.5V22h-5v-3.5H8V22H3v-3.5\
           H1V16h2v-3.5H1V10h2zM8 12.5V16h1.5v-3.5zM14.5 12.5V16H16v-3.5z",
    colour: "8250df",
};

impl Face {
    /// The face of a verdict by its name in the JSON.
    pub fn of(verdict: &str) -> Self {
        [HEALTHY, DEGRADED, NO_MASTER, SPLIT_BRAIN].into_iter().find(|f| f.class == verdict).unwrap_or(UNKNOWN)
    }

    /// The face of this verdict on a node that is `fenced` or not: health hides no fence, and a fence hides nothing else.
    pub fn with_fence(self, fenced: bool) -> Self {
        if fenced && self.severity < FENCED.severity { FENCED } else { self }
    }

    /// The shape, in the colour of the text around it.
    pub fn shape(&self) -> String {
        format!(
            r#"<svg class="shape" viewBox="0 0 24 24" aria-hidden="true"><path fill="currentColor" fill-rule="evenodd" d="{}"/></svg>"#,
            self.path
        )
    }

    /// Shape and word, coloured.
    pub fn badge(&self) -> String {
        format!(r#"<span class="verdict {}">{} {}</span>"#, self.class, self.shape(), self.word)
    }

    /// The tab's icon, as the address of an image.
    pub fn icon(&self) -> String {
        format!(
            "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Cpath fill='%23{}' \
             fill-rule='evenodd' d='{}'/%3E%3C/svg%3E",
            self.colour, self.path
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Verdict;

    #[test]
    fn every_verdict_has_its_own_word_and_shape() {
        let faces = Verdict::ALL.map(|v| (v, Face::of(v.as_str())));
        for (i, (verdict, face)) in faces.iter().enumerate() {
            assert_eq!((face.class, face.severity), (verdict.as_str(), verdict.severity()));
            assert!(faces[i + 1..].iter().all(|(_, other)| other.word != face.word && other.path != face.path));
        }
    }

    #[test]
    fn a_fence_is_taken_for_no_verdict_and_hides_none_but_health() {
        for face in Verdict::ALL.map(|v| Face::of(v.as_str())) {
            assert!(face.word != FENCED.word && face.path != FENCED.path && face.colour != FENCED.colour);
            assert_eq!(face.with_fence(true), if face == HEALTHY { FENCED } else { face });
            assert_eq!(face.with_fence(false), face);
        }
    }

    #[test]
    fn a_verdict_of_a_later_version_is_not_healthy() {
        assert_eq!(Face::of("splendid"), UNKNOWN);
    }
}
