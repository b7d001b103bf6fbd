//! Which T2*-weighted magnitude of a scan shows its lesions.

use std::path::PathBuf;

use super::{BidsName, sidecar_fields};

/// Echo time times field strength of the magnitude that is preferred, in seconds times tesla: 25 ms at 3 T. Microbleeds
/// bloom more at later echoes, until the voids at the skull base hide them.
const PREFERRED_SECOND_TESLA: f64 = 0.075;

/// A T2*-weighted magnitude.
#[derive(Clone, Debug)]
pub(super) struct Magnitude {
    /// What tells series apart: suffix, acquisition, reconstruction and so on, but not run, echo and part.
    series: Vec<String>,
    echo: Option<u32>,
    path: PathBuf,
}

impl Magnitude {
    pub(super) fn new(name: &BidsName, path: PathBuf) -> Self {
        let of_series = |(key, _): &(&str, &str)| !["run", "echo", "part"].contains(key);
        let entities = name.distinguishing().filter(of_series);
        let entities = entities.map(|(key, value)| format!("{key}-{value}"));
        Self {
            series: std::iter::once(name.suffix().to_owned()).chain(entities).collect(),
            echo: name.entity("echo").and_then(|echo| echo.parse().ok()),
            path,
        }
    }

    /// Echo time times field strength by the sidecars.
    fn second_tesla(&self) -> Option<f64> {
        let fields = sidecar_fields(&self.path);
        let number = |key: &str| fields.get(key)?.as_f64();
        Some(number("EchoTime")? * number("MagneticFieldStrength").unwrap_or(3.0))
    }
}

/// The magnitude to look for lesions in: of several echoes of one series the one nearest to the preferred echo time, or the
/// last where the sidecars say none.
///
/// # Errors
/// A note on two series, or two images of one echo, between which nothing decides.
pub(super) fn chosen(magnitudes: Vec<Magnitude>) -> Result<Option<PathBuf>, String> {
    let Some(first) = magnitudes.first() else { return Ok(None) };
    let rival = |other: &&Magnitude| {
        other.series != first.series || other.echo.is_none() || other.echo == first.echo
    };
    if let Some(other) = magnitudes[1..].iter().find(rival) {
        return Err(format!(
            "there are two T2*-weighted magnitudes; choose one with --filter swi=…: {} and {}",
            first.path.display(),
            other.path.display()
        ));
    }
    let apart = |magnitude: &Magnitude| {
        magnitude.second_tesla().map(|time| (time - PREFERRED_SECOND_TESLA).abs())
    };
    let timed: Option<Vec<f64>> = magnitudes.iter().map(apart).collect();
    let best = match timed {
        Some(apart) => (0..apart.len()).min_by(|&a, &b| apart[a].total_cmp(&apart[b])),
        None => (0..magnitudes.len()).max_by_key(|&n| magnitudes[n].echo),
    };
    Ok(best.map(|n| magnitudes[n].path.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::scan::tests::of;

    fn name(path: Option<&PathBuf>) -> String {
        path.map_or(String::new(), |path| path.file_name().unwrap().to_string_lossy().into_owned())
    }

    #[test]
    fn the_last_echo_is_chosen_where_no_time_is_known_and_two_series_are_not_guessed() {
        let scan = &of(&["echo-1_part-mag_MEGRE", "echo-2_part-mag_MEGRE"], &[])[0];
        assert_eq!(name(scan.magnitude.as_ref()), "sub-01_echo-2_part-mag_MEGRE.nii.gz");
        for files in [["acq-a_T2starw", "acq-b_T2starw"], ["T2starw", "part-mag_GRE"]] {
            let scan = &of(&files, &[])[0];
            assert_eq!(scan.magnitude, None, "{files:?}");
            assert!(scan.notes.iter().any(|note| note.contains("--filter swi=")), "{files:?}");
        }
    }

    #[test]
    fn the_echo_nearest_to_25_ms_at_3_t_is_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let echo = |n: u32, time_s: f64, tesla: f64| {
            let stem = folder.path().join(format!("sub-01_echo-{n}_part-mag_MEGRE"));
            let sidecar = format!("{{\"EchoTime\": {time_s}, \"MagneticFieldStrength\": {tesla}}}");
            std::fs::write(stem.with_extension("json"), sidecar).unwrap();
            let path = stem.with_extension("nii");
            Magnitude::new(&BidsName::parse(&path).unwrap(), path)
        };
        for (tesla, want) in [(3.0, 2), (1.5, 3), (7.0, 1)] {
            let echoes = [0.012, 0.024, 0.05].into_iter().zip(1..);
            let magnitudes = echoes.map(|(time, n)| echo(n, time, tesla)).collect();
            let name = name(chosen(magnitudes).unwrap().as_ref());
            assert_eq!(name, format!("sub-01_echo-{want}_part-mag_MEGRE.nii"), "{tesla} T");
        }
    }
}
