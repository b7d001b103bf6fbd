//! Parts of a complex image.

use super::Maker;

/// Which part of a complex image an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Magnitude,
    Phase,
    Real,
    Imaginary,
}

impl Part {
    /// As BIDS has it: `part-mag`.
    pub fn entity(self) -> &'static str {
        match self {
            Self::Magnitude => "mag",
            Self::Phase => "phase",
            Self::Real => "real",
            Self::Imaginary => "imag",
        }
    }

    /// From Complex Image Component, else from GE's private image type, else from the image type.
    pub fn of(
        component: Option<&str>,
        ge_image_type: Option<f64>,
        image_type: &[String],
        maker: Maker,
    ) -> Option<Self> {
        let said = match component {
            Some("MAGNITUDE") => Some(Self::Magnitude),
            Some("PHASE") => Some(Self::Phase),
            Some("REAL") => Some(Self::Real),
            Some("IMAGINARY") => Some(Self::Imaginary),
            _ => None,
        };
        let by_ge = ge_image_type.filter(|_| maker == Maker::Ge).and_then(|number| {
            let parts = [Self::Magnitude, Self::Phase, Self::Real, Self::Imaginary];
            (0..4).find(|&n| number == n as f64).map(|n| parts[n])
        });
        // The first two values are ORIGINAL or DERIVED, and PRIMARY or SECONDARY.
        said.or(by_ge).or_else(|| image_type.iter().skip(2).find_map(|word| Self::of_word(word)))
    }

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "M" | "MAGNITUDE" | "MAG" => Some(Self::Magnitude),
            "P" | "PHASE" | "PHASE MAP" | "PHASEMAP" => Some(Self::Phase),
            "R" | "REAL" => Some(Self::Real),
            "I" | "IMAGINARY" | "IMAG" => Some(Self::Imaginary),
            // Philips: M_FFE, M_SE; the phase is called PHASE MAP.
            _ => match word.split_once('_')? {
                ("M", _) => Some(Self::Magnitude),
                ("P", _) => Some(Self::Phase),
                ("R", _) => Some(Self::Real),
                ("I", _) => Some(Self::Imaginary),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_words_are_known() {
        let of = |words: &str| {
            let words: Vec<String> = words.split('\\').map(str::to_owned).collect();
            Part::of(None, None, &words, Maker::Other)
        };
        assert_eq!(of(r"ORIGINAL\PRIMARY\M\ND\NORM"), Some(Part::Magnitude));
        assert_eq!(of(r"ORIGINAL\PRIMARY\P\ND"), Some(Part::Phase));
        assert_eq!(of(r"ORIGINAL\PRIMARY\M_FFE\M\FFE"), Some(Part::Magnitude));
        assert_eq!(of(r"ORIGINAL\PRIMARY\PHASE MAP\P\FFE"), Some(Part::Phase));
        assert_eq!(of(r"ORIGINAL\PRIMARY\I_FFE\I\FFE"), Some(Part::Imaginary));
        assert_eq!(of(r"ORIGINAL\PRIMARY\OTHER"), None);
        // Another maker's private number says nothing.
        let words = ["ORIGINAL".to_owned(), "PRIMARY".to_owned(), "OTHER".to_owned()];
        assert_eq!(Part::of(None, Some(3.0), &words, Maker::Ge), Some(Part::Imaginary));
        assert_eq!(Part::of(None, Some(3.0), &words, Maker::Siemens), None);
        assert_eq!(Part::of(Some("REAL"), Some(0.0), &words, Maker::Ge), Some(Part::Real));
    }
}
