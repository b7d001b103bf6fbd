//! Which segment holds which class of lesion.

use std::collections::BTreeMap;
use std::str::FromStr;

use deepmir_lesion::LesionClass;

use super::read::Segment;
use crate::export::codes::finding;

/// What the labels of segments stand for, where their codes do not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentClasses(BTreeMap<String, Option<LesionClass>>);

impl SegmentClasses {
    /// With a label and what it stands for; none is left out.
    pub fn add(&mut self, label: &str, class: Option<LesionClass>) {
        self.0.insert(label.to_lowercase(), class);
    }

    /// The class of a segment: as was said of its label, else by its code, else by a label of `CMB` or `NHID`, alone or
    /// before a number.
    ///
    /// # Errors
    /// If nothing tells it.
    pub fn of(&self, segment: &Segment) -> Result<Option<LesionClass>, String> {
        let label = segment.label.trim().to_lowercase();
        if let Some(class) = self.0.get(&label) {
            return Ok(*class);
        }
        let coded = |class: &LesionClass| {
            let code = finding(*class);
            segment.code == [code.0, code.1]
        };
        let first = label.split([' ', '_', '-']).next().unwrap_or_default();
        let said = LesionClass::ALL.into_iter().find(coded);
        said.or_else(|| LesionClass::from_str(first).ok()).map(Some).ok_or_else(|| {
            "a segment says by neither code nor label what it is; name it with --segments LABEL=CMB, LABEL=NHID or \
             LABEL=none"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_counts_before_code_and_label() {
        let segment = |label: &str, code: &str, scheme: &str| Segment {
            number: 1,
            label: label.to_owned(),
            code: [code.to_owned(), scheme.to_owned()],
        };
        let mut classes = SegmentClasses::default();
        let of = |classes: &SegmentClasses, segment: &Segment| classes.of(segment).ok();
        let bleed = segment("Segment_1", "723857007", "SCT");
        assert_eq!(of(&classes, &bleed), Some(Some(LesionClass::Cmb)));
        assert_eq!(of(&classes, &segment("nhid 3", "1", "SCT")), Some(Some(LesionClass::Nhid)));
        assert_eq!(of(&classes, &segment("tumour", "1", "SCT")), None);
        // Another scheme's number is another thing.
        assert_eq!(of(&classes, &segment("x", "723857007", "SRT")), None);
        classes.add("Segment_1", None);
        classes.add("Tumour", Some(LesionClass::Cmb));
        assert_eq!(of(&classes, &bleed), Some(None));
        assert_eq!(of(&classes, &segment("TUMOUR", "1", "SCT")), Some(Some(LesionClass::Cmb)));
    }
}
