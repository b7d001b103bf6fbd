//! That the images of a scan belong together, by their names and JSON files.

use std::path::Path;

use deepmir_volume::{Warning, nifti};

use super::pair::Pair;
use crate::ReconError;

/// Echo times and field strengths that differ by less are the same, rounded otherwise: neighbouring echoes lie further
/// apart than 2 %, and field strengths of one magnet are written as 2.89 and 3.
const ROUNDED_TIME: f64 = 0.01;
const ROUNDED_FIELD: f64 = 0.1;
/// Units of a field map. A phase has none of them.
const UNITS_OF_FIELDS: [&str; 7] = ["hz", "rad/s", "rad/sec", "t", "ut", "ppm", "ppb"];

/// Checks what names and JSON files say about the images against each other and against what was given.
pub(super) fn check(
    pairs: &[Pair],
    given_times_s: &[f64],
    given_field_t: Option<f64>,
) -> Result<Vec<Warning>, ReconError> {
    let of_files = || pairs.iter().filter(|pair| pair.of_files);
    check_that_files_differ(pairs)?;
    for pair in of_files() {
        check_parts(pair)?;
        check_pair(pair)?;
    }
    let mut warnings = Vec::new();
    warnings.extend(check_field(pairs, given_field_t)?);
    if pairs.iter().all(|pair| pair.first.len() == 1) && given_times_s.len() == pairs.len() {
        warnings.extend(check_given_times(pairs, given_times_s)?);
    }
    Ok(warnings)
}

fn same(a: f64, b: f64, part: f64) -> bool {
    (a - b).abs() <= part * a.abs().max(b.abs())
}

fn mismatch(reason: String, remedy: &'static str, one: &Path, other: &Path) -> ReconError {
    let (one, other) = (one.display().to_string(), other.display().to_string());
    ReconError::Mispaired { reason, remedy, one, other }
}

fn check_that_files_differ(pairs: &[Pair]) -> Result<(), ReconError> {
    let files = pairs.iter().filter(|pair| pair.of_files);
    let files: Vec<&Path> =
        files.flat_map(|pair| [pair.paths.0.as_path(), pair.paths.1.as_path()]).collect();
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    for (number, &one) in files.iter().enumerate() {
        for &other in &files[..number] {
            if one == other || real(one) == real(other) {
                let reason = "one file is given twice".to_owned();
                return Err(mismatch(reason, ONE_EACH, other, one));
            }
        }
    }
    // A copy under another name is one echo, too.
    let phases: Vec<_> =
        pairs.iter().flat_map(|pair| (0..pair.second.len()).map(move |n| (pair, n))).collect();
    for (number, &(pair, n)) in phases.iter().enumerate() {
        for &(before, m) in &phases[..number] {
            if pair.second[n].data() == before.second[m].data()
                && pair.second_scaling == before.second_scaling
            {
                let [one, other] = [before.name(m), pair.name(n)];
                let reason = "two echoes have the same phase in every voxel".to_owned();
                return Err(ReconError::Mispaired { reason, remedy: ONE_EACH, one, other });
            }
        }
    }
    Ok(())
}

const ONE_EACH: &str = "give one magnitude and one phase of each echo";
const IN_ORDER: &str = "give magnitudes and phases in the same order, that of the echo times (the shell's * puts echo-10 \
                        before echo-2)";

/// A magnitude is no phase, and neither is the difference of two phases or a field.
fn check_parts(pair: &Pair) -> Result<(), ReconError> {
    let wanted =
        if pair.polar { [Part::Magnitude, Part::Phase] } else { [Part::Real, Part::Imaginary] };
    let remedy = "give each image as what it is";
    let named = pair.images().map(|(path, _)| Part::named(path));
    for (n, (path, _)) in pair.images().into_iter().enumerate() {
        if let Some(named) = named[n].filter(|&named| named != wanted[n]) {
            let reason =
                format!("is given as {}, but is {} by its name", wanted[n].name(), named.name());
            return Err(ReconError::WrongPart { reason, remedy, path: path.to_owned() });
        }
    }
    // Files of derived images are often copies of others' JSON, so that only both together tell.
    let of_type = pair.images().map(|(_, sidecar)| Part::of_type(&sidecar.image_type));
    if named == [None; 2] && of_type == [Some(Part::Phase), Some(Part::Magnitude)] && pair.polar {
        let reason =
            "is given as a magnitude, but is a phase by its ImageType, and the phase a magnitude"
                .to_owned();
        return Err(ReconError::WrongPart { reason, remedy, path: pair.paths.0.clone() });
    }
    if pair.polar {
        check_phase(&pair.paths.1, &pair.sidecars.1)?;
    }
    Ok(())
}

fn check_phase(path: &Path, sidecar: &super::Sidecar) -> Result<(), ReconError> {
    let squeezed: String =
        nifti::stem(path).to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let remedy =
        "give the phase of each echo and its own magnitude (*_phase1, *_phase2 or *_part-phase)";
    let fault = |reason: String| ReconError::WrongPart { reason, remedy, path: path.to_owned() };
    if let Some([first, second]) = sidecar.difference_of_s {
        return Err(fault(format!(
            "is the difference of the phases at {first} and {second} s (EchoTime1 and EchoTime2), not the phase of one echo"
        )));
    }
    if squeezed.contains("phasediff") {
        return Err(fault(
            "is the difference of two phases by its name, not the phase of one echo".to_owned(),
        ));
    }
    if let Some(units) = &sidecar.units
        && UNITS_OF_FIELDS.contains(&units.to_lowercase().as_str())
    {
        return Err(fault(format!("is a field in {units} by its JSON file, not a phase")));
    }
    Ok(())
}

/// Both images are of one echo and one magnet.
fn check_pair(pair: &Pair) -> Result<(), ReconError> {
    let [(one, first), (other, second)] = pair.images();
    let times = first.echo_time_s.zip(second.echo_time_s);
    if let Some((a, b)) = times
        && !same(a, b, ROUNDED_TIME)
    {
        let reason =
            format!("an echo's two images are of different echoes: EchoTime is {a} and {b} s");
        return Err(mismatch(reason, IN_ORDER, one, other));
    }
    // Times that agree are what counts; converters number echoes as they like.
    if times.is_none() {
        let numbers = [first.echo_number, second.echo_number];
        let named = [echo_in_name(one), echo_in_name(other)];
        for (what, numbers) in [("EchoNumber is", numbers), ("by their names they are", named)] {
            if let [Some(a), Some(b)] = numbers
                && a != b
            {
                let reason =
                    format!("an echo's two images are of different echoes: {what} {a} and {b}");
                return Err(mismatch(reason, IN_ORDER, one, other));
            }
        }
    }
    Ok(())
}

/// One field strength for all images, and the one that was given.
fn check_field(pairs: &[Pair], given_t: Option<f64>) -> Result<Option<Warning>, ReconError> {
    let told = pairs.iter().flat_map(Pair::images);
    let told: Vec<(&Path, f64)> =
        told.filter_map(|(path, sidecar)| Some((path, sidecar.field_strength_t?))).collect();
    let Some(&(first, tesla)) = told.first() else { return Ok(None) };
    if let Some(&(other, another)) =
        told.iter().find(|(_, other)| !same(tesla, *other, ROUNDED_FIELD))
    {
        let reason = format!("MagneticFieldStrength is {tesla} and {another} T in one scan");
        return Err(mismatch(
            reason,
            "give the images of one scan, or mend the JSON files",
            first,
            other,
        ));
    }
    let Some(given) = given_t.filter(|&given| !same(tesla, given, ROUNDED_FIELD)) else {
        return Ok(None);
    };
    let message = format!(
        "a field strength of {given} T was given and taken, but MagneticFieldStrength is {tesla} T: susceptibilities are \
         wrong by that factor if the JSON file is right: {}",
        first.display()
    );
    Ok(Some(Warning::new("field_strength_differs", message)))
}

/// Echo times that were given against those of the JSON files, or else the order of the names.
fn check_given_times(pairs: &[Pair], given_s: &[f64]) -> Result<Option<Warning>, ReconError> {
    let told: Vec<Option<f64>> =
        pairs.iter().map(|pair| pair.told(|sidecar| sidecar.echo_time_s)).collect();
    let differs = |n: usize| told[n].is_some_and(|told| !same(told, given_s[n], ROUNDED_TIME));
    if let Some(n) = (0..pairs.len()).find(|&n| differs(n)) {
        let (given, told_s) = (given_s[n], told[n].unwrap_or_default());
        let path = &pairs[n].paths.0;
        if is_reordered(&told, given_s) {
            let reason = format!(
                "the echo times given are those of the JSON files in another order: {given} s for an image whose EchoTime is \
                 {told_s} s"
            );
            return Err(mismatch(reason, IN_ORDER, path, &pairs[n].paths.1));
        }
        let message = format!(
            "an echo time of {given} s was given and taken, but EchoTime is {told_s} s: field and susceptibility are wrong \
             if the JSON file is right: {}",
            path.display()
        );
        return Ok(Some(Warning::new("echo_times_differ", message)));
    }
    if told.iter().all(Option::is_none) {
        check_order_of_names(pairs)?;
    }
    Ok(None)
}

fn is_reordered(told: &[Option<f64>], given_s: &[f64]) -> bool {
    let Some(mut told) = told.iter().copied().collect::<Option<Vec<f64>>>() else { return false };
    let mut given = given_s.to_vec();
    told.sort_by(f64::total_cmp);
    given.sort_by(f64::total_cmp);
    told.iter().zip(&given).all(|(&told, &given)| same(told, given, ROUNDED_TIME))
}

/// Names that number the echoes must do so in the order that they are given in.
fn check_order_of_names(pairs: &[Pair]) -> Result<(), ReconError> {
    let number = |pair: &Pair| {
        pair.told(|sidecar| sidecar.echo_number)
            .or_else(|| echo_in_name(&pair.paths.0).filter(|_| pair.of_files))
    };
    let Some(numbers) = pairs.iter().map(number).collect::<Option<Vec<u32>>>() else {
        return Ok(());
    };
    for (n, two) in numbers.windows(2).enumerate() {
        if two[1] < two[0] {
            let reason = format!("echo {} is given after echo {}", two[1], two[0]);
            return Err(mismatch(reason, IN_ORDER, &pairs[n].paths.0, &pairs[n + 1].paths.0));
        }
    }
    Ok(())
}

/// The number of the echo that a name tells: `echo-2`, `echo2`, `e2`, `mag2`, `phase2`.
fn echo_in_name(path: &Path) -> Option<u32> {
    let stem = nifti::stem(path).to_lowercase();
    let pieces: Vec<&str> = stem.split('_').collect();
    let after = |piece: &str, words: &[&str]| {
        words
            .iter()
            .find_map(|word| piece.strip_prefix(word)?.trim_start_matches('-').parse::<u32>().ok())
    };
    let apart = pieces.windows(2).find(|two| two[0] == "echo").and_then(|two| two[1].parse().ok());
    let weak = || {
        pieces
            .iter()
            .rev()
            .find_map(|piece| after(piece, &["e", "mag", "magnitude", "pha", "phase", "ph"]))
    };
    pieces.iter().find_map(|piece| after(piece, &["echo"])).or(apart).or_else(weak)
}

/// What an image is of a complex one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Magnitude,
    Phase,
    Real,
    Imaginary,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Magnitude => "a magnitude",
            Self::Phase => "a phase",
            Self::Real => "a real part",
            Self::Imaginary => "an imaginary part",
        }
    }

    /// By the entity `part-`.
    fn named(path: &Path) -> Option<Self> {
        let stem = nifti::stem(path);
        stem.split('_').find_map(|piece| match piece {
            "part-mag" => Some(Self::Magnitude),
            "part-phase" => Some(Self::Phase),
            "part-real" => Some(Self::Real),
            "part-imag" => Some(Self::Imaginary),
            _ => None,
        })
    }

    /// By the words of a scanner, if they are clear.
    fn of_type(image_type: &[String]) -> Option<Self> {
        let has = |words: &[&str]| image_type.iter().any(|word| words.contains(&word.as_str()));
        match (has(&["M", "MAGNITUDE"]), has(&["P", "PHASE"])) {
            (true, false) => Some(Self::Magnitude),
            (false, true) => Some(Self::Phase),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_echo() {
        for (name, number) in [
            ("sub-e3_echo-10_part-mag_MEGRE.nii.gz", Some(10)),
            ("2001_GRE_e2_ph.nii.gz", Some(2)),
            ("mag_echo3.nii", Some(3)),
            ("gre_echo_4_phase.nii", Some(4)),
            ("sub-01_phase2.nii", Some(2)),
            ("sub-01_run-2_part-phase_T2starw.nii", None),
            ("Mag.nii", None),
        ] {
            assert_eq!(echo_in_name(Path::new(name)), number, "{name}");
        }
    }

    #[test]
    fn scanners_words_tell_the_part() {
        let words = |text: &str| text.split('\\').map(str::to_owned).collect::<Vec<_>>();
        let phase = words("ORIGINAL\\PRIMARY\\PHASE MAP\\P\\FFE\\PHASE");
        assert!(Part::of_type(&phase) == Some(Part::Phase));
        let magnitude = words("ORIGINAL\\PRIMARY\\M\\ND\\NORM");
        assert!(Part::of_type(&magnitude) == Some(Part::Magnitude));
        assert!(Part::of_type(&words("DERIVED\\SECONDARY\\OTHER")).is_none());
    }
}
