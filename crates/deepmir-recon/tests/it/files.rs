use std::f32::consts::PI;
use std::path::{Path, PathBuf};

use deepmir_recon::input::{EchoParts, PhaseUnits, ReadOptions, ScanFiles};
use deepmir_recon::output::{OutputContext, OutputNames, write_reconstruction};
use deepmir_recon::{ReconConfig, reconstruct};
use deepmir_volume::{Grid, Volume, nifti};

use crate::common::{Head, grid};

/// A wrapped phase that fills the turn.
fn phase(grid: Grid) -> Volume<f32> {
    Volume::from_fn(grid, |[i, j, k]| ((i * 37 + j * 59 + k * 17) % 201) as f32 / 100.0 * PI - PI)
}

/// From radians to a scanner's units.
type Scale = fn(f32) -> f32;

struct Folder {
    folder: tempfile::TempDir,
    grid: Grid,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), grid: grid([9, 8, 7], [1.0, 1.0, 2.0]) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, volume: &Volume<f32>) -> PathBuf {
        let path = self.path(name);
        nifti::write(&path, volume, None).unwrap();
        path
    }

    fn json(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// One echo with complete sidecars.
    fn echo(&self, number: usize, time: f64, phase: &Volume<f32>) -> EchoParts {
        let stem = |part: &str| format!("sub-01_echo-{number}_part-{part}_MEGRE");
        let magnitude = self.write(&format!("{}.nii.gz", stem("mag")), &phase.map(|_| 5.0));
        let phase = self.write(&format!("{}.nii.gz", stem("phase")), phase);
        let text = format!(r#"{{"EchoTime": {time}, "MagneticFieldStrength": 3}}"#);
        self.json(&format!("{}.json", stem("mag")), &text);
        EchoParts::Polar { magnitude, phase }
    }
}

fn files(echoes: Vec<EchoParts>) -> ScanFiles {
    ScanFiles { echoes, ..Default::default() }
}

/// Sets the slope in a NIfTI-1 header.
fn set_slope(path: &Path, slope: f32) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[112..116].copy_from_slice(&slope.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn every_scaling_gives_the_same_radians() {
    let folder = Folder::new();
    let truth = phase(folder.grid);
    let turn = PI;
    let scalings: [(Scale, PhaseUnits); 5] = [
        (|p| p, PhaseUnits::Radians),
        (|p| p / PI * 4096.0, PhaseUnits::Signed4096),
        (|p| p / PI * 2048.0 + 2048.0, PhaseUnits::Unsigned4096),
        (|p| p * 1000.0, PhaseUnits::Milliradians),
        (|p| p.to_degrees(), PhaseUnits::Degrees),
    ];
    for (scaled, units) in scalings {
        let echo = folder.echo(1, 0.01, &truth.map(|&p| scaled(p)));
        let input = files(vec![echo]).read(&ReadOptions::default()).unwrap();
        assert_eq!(input.phase_scaling.unwrap().units, units);
        let read = input.scan.echoes()[0].phase_rad.data();
        let apart = read.iter().zip(truth.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-3 * turn, "{apart} for {units:?}");
    }
}

#[test]
fn a_wrong_slope_is_undone_and_an_inverted_sign_turned() {
    let folder = Folder::new();
    let truth = phase(folder.grid);
    let magnitude = folder.write("mag.nii", &truth.map(|_| 1.0));
    let wrong = folder.write("phase.nii", &truth);
    set_slope(&wrong, 0.00117);
    let mut files = files(vec![EchoParts::Polar { magnitude, phase: wrong }]);
    files.echo_times_s = vec![0.004];
    files.field_strength_t = Some(3.0);
    for invert_phase in [false, true] {
        let options = ReadOptions { invert_phase, ..Default::default() };
        let input = files.read(&options).unwrap();
        assert_eq!(input.phase_scaling.unwrap().units, PhaseUnits::StoredRadians);
        let sign = if invert_phase { -1.0 } else { 1.0 };
        let read = input.scan.echoes()[0].phase_rad.data();
        assert!(read.iter().zip(truth.data()).all(|(a, b)| (sign * a - b).abs() < 1e-4));
    }
}

#[test]
fn a_series_of_volumes_is_a_series_of_echoes() {
    let folder = Folder::new();
    let two = phase(grid([9, 8, 14], [1.0, 1.0, 2.0]));
    let series = |name: &str, volume: &Volume<f32>| {
        let path = folder.write(name, volume);
        let mut bytes = std::fs::read(&path).unwrap();
        for (axis, length) in [(0, 4_i16), (3, 7), (4, 2)] {
            bytes[40 + 2 * axis..42 + 2 * axis].copy_from_slice(&length.to_le_bytes());
        }
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let magnitude = series("mag.nii", &two.map(|_| 2.0));
    let phase = series("phase.nii", &two);
    let mut files = files(vec![EchoParts::Polar { magnitude: magnitude.clone(), phase }]);
    files.field_strength_t = Some(3.0);
    fails(&files, &["0 echo times for 2 echoes"]);
    files.echo_times_s = vec![0.004, 0.008];
    let input = files.read(&ReadOptions::default()).unwrap();
    let [first, second] = input.scan.echoes() else { panic!("two echoes") };
    assert_eq!(first.phase_rad.data(), &two.data()[..504]);
    assert_eq!(second.phase_rad.data(), &two.data()[504..]);
    let single = folder.write("single.nii", &first.phase_rad);
    files.echoes = vec![EchoParts::Polar { magnitude, phase: single }];
    fails(&files, &["do not pair up", "mag.nii"]);
}

#[test]
fn real_and_imaginary_parts_are_magnitude_and_phase() {
    let folder = Folder::new();
    let truth = phase(folder.grid);
    let real = folder.write("real.nii", &truth.map(|p| 3.0 * p.cos()));
    let imaginary = folder.write("imag.nii", &truth.map(|p| 3.0 * p.sin()));
    let mut files = files(vec![EchoParts::Cartesian { real, imaginary }]);
    files.echo_times_s = vec![0.004];
    files.field_strength_t = Some(1.5);
    let input = files.read(&ReadOptions::default()).unwrap();
    let echo = &input.scan.echoes()[0];
    assert!(input.phase_scaling.is_none());
    assert!(echo.magnitude.data().iter().all(|m| (m - 3.0).abs() < 1e-4));
    let turn = |a: f32, b: f32| deepmir_recon::phase::wrapped(a - b).abs();
    assert!(echo.phase_rad.data().iter().zip(truth.data()).all(|(&a, &b)| turn(a, b) < 1e-4));
}

#[track_caller]
fn fails(files: &ScanFiles, words: &[&str]) {
    let message = files.read(&ReadOptions::default()).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let folder = Folder::new();
    let truth = phase(folder.grid);
    let later = phase(folder.grid).map(|p| -p);
    let (one, two) = (folder.echo(1, 0.01, &truth), folder.echo(2, 0.02, &later));
    fails(&files(Vec::new()), &["no echoes"]);
    fails(&files(vec![two.clone(), one.clone()]), &["out of order", "0.01", "echo-1_part-phase"]);
    let mut with_times = files(vec![one.clone(), two.clone()]);
    with_times.echo_times_s = vec![0.01];
    fails(&with_times, &["1 echo times for 2 echoes"]);
    with_times.echo_times_s = vec![10.0, 20.0];
    fails(&with_times, &["10 s cannot be", "in seconds"]);

    folder.json("sub-01_echo-2_part-mag_MEGRE.json", r#"{"MagneticFieldStrength": 3}"#);
    fails(&files(vec![one.clone(), two.clone()]), &["no EchoTime", "echo-2_part-mag_MEGRE.nii.gz"]);
    folder.json("sub-01_echo-1_part-mag_MEGRE.json", r#"{"EchoTime": 0.01}"#);
    fails(&files(vec![one.clone()]), &["no MagneticFieldStrength", "echo-1_part-mag"]);
    folder.json("sub-01_echo-1_part-mag_MEGRE.json", "{");
    fails(&files(vec![one]), &["no JSON", "echo-1_part-mag_MEGRE.json"]);

    let other = Folder { folder: tempfile::tempdir().unwrap(), grid: grid([9, 8, 6], [1.0; 3]) };
    let small = other.write("small.nii", &phase(other.grid));
    let large = folder.write("large.nii", &truth);
    let parts = EchoParts::Polar { magnitude: large.clone(), phase: small };
    fails(&files(vec![parts]), &["do not share a grid", "large.nii", "small.nii"]);
    let odd = folder.write("odd.nii", &truth.map(|p| p * 30.0 + 50.0));
    let mut strange = files(vec![EchoParts::Polar { magnitude: large, phase: odd }]);
    strange.echo_times_s = vec![0.01];
    strange.field_strength_t = Some(3.0);
    fails(&strange, &["neither radians", "odd.nii"]);
}

#[test]
fn results_are_written_under_their_names() {
    let head = Head::new();
    let scan = head.scan();
    let result = reconstruct(&scan, Some(&head.brain), &ReconConfig::default(), |_| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first.nii");
    nifti::write(&first, &scan.echoes()[0].magnitude, None).unwrap();
    let header = nifti::read_header(&first).unwrap();
    let names = OutputNames { folder: folder.path(), stem: "sub-01" };
    let sources = ["bids::sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz".to_owned()];
    let context = OutputContext { header: &header, field_strength_t: 3.0, sources: &sources };
    let paths = write_reconstruction(&result, &names, &context).unwrap();
    assert_eq!(paths.len(), 9);
    for name in ["acq-swi_T2starw", "Chimap", "R2starmap", "desc-brain_mask", "minIP"] {
        let path = folder.path().join(format!("sub-01_{name}.nii.gz"));
        let image = nifti::read(&path).unwrap();
        assert!(image.volume.grid().same_as(&head.grid), "{name}");
        assert!(path.with_file_name(format!("sub-01_{name}.json")).exists());
    }
    let chi = nifti::read(&folder.path().join("sub-01_Chimap.nii.gz")).unwrap();
    assert_eq!(chi.volume.data(), result.chi_ppm.data());
}
