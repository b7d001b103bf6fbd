//! Scans as they come that must not be misread: each test is named after what went wrong.

use std::f32::consts::PI;
use std::path::{Path, PathBuf};

use deepmir_recon::input::{EchoParts, ReadOptions, ScanFiles, ScanInput};
use deepmir_recon::phase::wrapped;
use deepmir_recon::{ReconConfig, reconstruct};
use deepmir_volume::{Affine, Grid, Volume, nifti};

use crate::common::{Signal, ball, grid, no_offset};

const TIMES_S: [f64; 3] = [0.006, 0.014, 0.022];

/// A scan of three echoes as BIDS has it: a ball with noise around it, whose phase winds.
struct Scan {
    folder: tempfile::TempDir,
    echoes: Vec<(Volume<f32>, Volume<f32>)>,
}

impl Scan {
    fn new() -> Self {
        let grid = grid([24, 26, 14], [2.0, 2.0, 3.0]);
        let field_ppm = Volume::from_fn(grid, |[i, j, k]| {
            let [x, y, z] = [i as f32 - 12.0, j as f32 - 13.0, k as f32 - 7.0];
            0.006 * x + 0.001 * x * y - 0.001 * y * y + 0.02 * z
        });
        let signal = Signal {
            field_ppm: &field_ppm,
            magnitude: &ball(&grid, [0.0; 3], 21.0).map(|&inside| f32::from(u8::from(inside))),
            echo_times_s: &TIMES_S,
            noise: 0.02,
            offset_rad: no_offset,
            even_offset_rad: no_offset,
        };
        let echoes = signal.scan().echoes().to_vec();
        let echoes = echoes.into_iter().map(|echo| (echo.magnitude, echo.phase_rad)).collect();
        let scan = Self { folder: tempfile::tempdir().unwrap(), echoes };
        for (n, &time_s) in TIMES_S.iter().enumerate() {
            for part in ["mag", "phase"] {
                scan.json(n, part, &times(time_s));
            }
        }
        scan
    }

    /// Echoes count from 0 here.
    fn path(&self, n: usize, part: &str) -> PathBuf {
        self.folder.path().join(format!("sub-01_echo-{}_part-{part}_MEGRE.nii", n + 1))
    }

    fn json(&self, n: usize, part: &str, text: &str) {
        let name = format!("sub-01_echo-{}_part-{part}_MEGRE.json", n + 1);
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Magnitudes and phases of echoes, each in an order.
    fn files(&self, magnitudes: [usize; 3], phases: [usize; 3]) -> ScanFiles {
        for (n, (magnitude, phase)) in self.echoes.iter().enumerate() {
            nifti::write(&self.path(n, "mag"), magnitude, None).unwrap();
            nifti::write(&self.path(n, "phase"), phase, None).unwrap();
        }
        let both = magnitudes.into_iter().zip(phases);
        let echoes = both.map(|(m, p)| EchoParts::Polar {
            magnitude: self.path(m, "mag"),
            phase: self.path(p, "phase"),
        });
        ScanFiles { echoes: echoes.collect(), ..ScanFiles::default() }
    }

    fn in_order(&self) -> ScanFiles {
        self.files([0, 1, 2], [0, 1, 2])
    }
}

fn times(echo_time_s: f64) -> String {
    format!(r#"{{"EchoTime": {echo_time_s}, "MagneticFieldStrength": 3}}"#)
}

fn read(files: &ScanFiles) -> ScanInput {
    files.read(&ReadOptions::default()).unwrap()
}

fn codes(input: &ScanInput) -> Vec<&str> {
    input.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

#[track_caller]
fn refused(files: &ScanFiles, words: &[&str]) {
    let message = files.read(&ReadOptions::default()).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[test]
fn a_usual_scan_gives_no_warning() {
    let scan = Scan::new();
    assert_eq!(codes(&read(&scan.in_order())), Vec::<&str>::new());
}

#[test]
fn a_pair_of_different_echo_times_is_refused() {
    let scan = Scan::new();
    refused(
        &scan.files([0, 1, 2], [2, 0, 1]),
        &["0.006 and 0.022 s", "echo-1_part-mag", "echo-3_part-phase"],
    );
    // The same with other words for it: numbers of the scanner, and of names alone.
    for (n, part) in (0..3).flat_map(|n| [(n, "mag"), (n, "phase")]) {
        scan.json(n, part, &format!(r#"{{"EchoNumber": {}, "MagneticFieldStrength": 3}}"#, n + 1));
    }
    let mut files = scan.files([0, 1, 2], [0, 2, 1]);
    files.echo_times_s = TIMES_S.to_vec();
    refused(&files, &["EchoNumber is 2 and 3", "echo-2_part-mag", "echo-3_part-phase"]);
    for (n, part) in (0..3).flat_map(|n| [(n, "mag"), (n, "phase")]) {
        scan.json(n, part, r#"{"MagneticFieldStrength": 3}"#);
    }
    refused(&files, &["by their names they are 2 and 3", "echo-2_part-mag", "echo-3_part-phase"]);
}

#[test]
fn echo_times_given_against_the_json_are_refused_or_told() {
    let scan = Scan::new();
    let mut files = scan.files([2, 0, 1], [2, 0, 1]);
    files.echo_times_s = TIMES_S.to_vec();
    refused(&files, &["in another order", "0.006 s", "0.022 s", "echo-3_part-mag"]);
    let mut files = scan.in_order();
    files.echo_times_s = vec![0.005, 0.010, 0.015];
    files.field_strength_t = Some(1.5);
    let input = read(&files);
    assert_eq!(codes(&input), ["field_strength_differs", "echo_times_differ"]);
    assert!(input.warnings[1].message.contains("0.005 s"), "{:?}", input.warnings);
    assert_eq!(input.scan.echo_times_s(), files.echo_times_s);
}

#[test]
fn echo_10_before_echo_2_is_refused() {
    let scan = Scan::new();
    for (n, part) in (0..3).flat_map(|n| [(n, "mag"), (n, "phase")]) {
        scan.json(n, part, "{}");
    }
    let mut files = scan.files([0, 2, 1], [0, 2, 1]);
    (files.echo_times_s, files.field_strength_t) = (TIMES_S.to_vec(), Some(3.0));
    refused(&files, &["echo 2 is given after echo 3", "echo-3_part-mag", "echo-2_part-mag"]);
    files = scan.in_order();
    (files.echo_times_s, files.field_strength_t) = (TIMES_S.to_vec(), Some(3.0));
    assert_eq!(codes(&read(&files)), Vec::<&str>::new());
}

#[test]
fn one_file_given_twice_is_refused() {
    let scan = Scan::new();
    refused(&scan.files([0, 1, 1], [0, 1, 2]), &["given twice", "echo-2_part-mag"]);
    let mut files = scan.in_order();
    let other = scan.folder.path().join("copy.nii");
    std::fs::copy(scan.path(1, "phase"), &other).unwrap();
    files.echoes[2] = EchoParts::Polar { magnitude: scan.path(2, "mag"), phase: other };
    refused(&files, &["same phase in every voxel", "echo-2_part-phase", "copy.nii"]);
}

#[test]
fn a_phase_given_as_magnitude_is_refused() {
    let scan = Scan::new();
    let mut files = scan.in_order();
    let EchoParts::Polar { magnitude, phase } = files.echoes[0].clone() else { unreachable!() };
    files.echoes[0] = EchoParts::Polar { magnitude: phase, phase: magnitude };
    refused(&files, &["given as a magnitude, but is a phase", "echo-1_part-phase"]);
}

#[test]
fn images_of_two_magnets_are_refused() {
    let scan = Scan::new();
    scan.json(2, "phase", r#"{"EchoTime": 0.022, "MagneticFieldStrength": 1.5}"#);
    refused(&scan.in_order(), &["3 and 1.5 T", "echo-1_part-mag", "echo-3_part-phase"]);
    // Rounded otherwise, it is one.
    scan.json(2, "phase", r#"{"EchoTime": 0.022, "MagneticFieldStrength": 2.89362}"#);
    assert!(read(&scan.in_order()).warnings.is_empty());
}

#[test]
fn a_phase_difference_is_no_phase_of_an_echo() {
    let scan = Scan::new();
    scan.json(0, "phase", r#"{"EchoTime1": 0.00492, "EchoTime2": 0.00738, "EchoTime": 0.00738}"#);
    let mut files = scan.in_order();
    files.echoes.truncate(1);
    files.echo_times_s = vec![0.00246];
    refused(&files, &["difference", "0.00492 and 0.00738 s", "*_phase1", "echo-1_part-phase"]);
    let named = scan.folder.path().join("sub-01_phasediff.nii");
    std::fs::copy(scan.path(1, "phase"), &named).unwrap();
    files.echoes[0] = EchoParts::Polar { magnitude: scan.path(1, "mag"), phase: named };
    refused(&files, &["difference of two phases by its name", "sub-01_phasediff.nii"]);
}

#[test]
fn a_field_map_is_no_phase() {
    let scan = Scan::new();
    scan.json(0, "phase", r#"{"EchoTime": 0.006, "MagneticFieldStrength": 3, "Units": "Hz"}"#);
    refused(&scan.in_order(), &["a field in Hz", "echo-1_part-phase"]);
}

#[test]
fn an_echo_scaled_otherwise_is_refused() {
    let mut scan = Scan::new();
    let right = scan.echoes[2].1.clone();
    for factor in [0.5, 2.0, 4096.0 / PI, 180.0 / PI] {
        scan.echoes[2].1 = right.map(|&phase| factor * phase);
        refused(&scan.in_order(), &["scaled otherwise", "echo-3_part-phase"]);
    }
}

#[test]
fn an_echo_of_the_other_sign_is_refused() {
    for n in 0..3 {
        let mut scan = Scan::new();
        scan.echoes[n].1 = scan.echoes[n].1.map(|&phase| -phase);
        let name = format!("echo-{}_part-phase", n + 1);
        refused(&scan.in_order(), &["against that of the others", &name]);
    }
}

/// Half a turn on the slices that `odd` tells.
fn turn(phase: &mut Volume<f32>, odd: impl Fn([usize; 3]) -> bool) {
    let grid = *phase.grid();
    for (index, value) in phase.data_mut().iter_mut().enumerate() {
        if odd(grid.voxel(index)) {
            *value = wrapped(*value + PI);
        }
    }
}

/// The largest angle, over voxels with signal, between two readings of a scan, up to a turn of a whole echo.
fn apart(one: &ScanInput, other: &ScanInput) -> f32 {
    let mut most = 0.0_f32;
    for (one, other) in one.scan.echoes().iter().zip(other.scan.echoes()) {
        let signal = |&voxel: &usize| one.magnitude.data()[voxel] > 0.3;
        let voxels: Vec<usize> = (0..one.magnitude.data().len()).filter(signal).collect();
        let step = |voxel: usize| one.phase_rad.data()[voxel] - other.phase_rad.data()[voxel];
        let first = step(voxels[0]);
        most = voxels.iter().map(|&v| wrapped(step(v) - first).abs()).fold(most, f32::max);
    }
    most
}

#[test]
fn alternating_slices_are_turned_back_on_any_axis() {
    let plain = read(&Scan::new().in_order());
    for (axis, start) in [(0, 0), (1, 1), (2, 0), (2, 1)] {
        let mut scan = Scan::new();
        for (_, phase) in &mut scan.echoes {
            turn(phase, |voxel| (voxel[axis] + start) % 2 == 1);
        }
        let input = read(&scan.in_order());
        assert_eq!(codes(&input), ["slices_alternate"], "axis {axis}");
        assert!(input.warnings[0].message.contains("echo-1_part-phase"));
        assert!(apart(&input, &plain) < 1e-3, "axis {axis}: {}", apart(&input, &plain));
    }
    // Both axes of a plane: a checkerboard.
    let mut scan = Scan::new();
    scan.echoes.iter_mut().for_each(|(_, phase)| turn(phase, |[i, j, _]| (i + j) % 2 == 1));
    let input = read(&scan.in_order());
    assert_eq!(codes(&input), ["slices_alternate", "slices_alternate"]);
    assert!(apart(&input, &plain) < 1e-3);
}

#[test]
fn alternation_of_one_echo_leaves_no_half_turn_between_echoes() {
    let plain = read(&Scan::new().in_order());
    for start in [0, 1] {
        let mut scan = Scan::new();
        turn(&mut scan.echoes[2].1, |[.., k]| (k + start) % 2 == 1);
        let input = read(&scan.in_order());
        assert_eq!(codes(&input), ["slices_alternate"]);
        let (got, want) = (&input.scan.echoes()[2], &plain.scan.echoes()[2]);
        assert!(wrapped(got.phase_rad[[12, 13, 7]] - want.phase_rad[[12, 13, 7]]).abs() < 1e-3);
    }
}

#[test]
fn alternating_real_and_imaginary_parts_are_turned_back() {
    let scan = Scan::new();
    let plain = read(&scan.in_order());
    let mut echoes = Vec::new();
    for (n, (magnitude, phase)) in scan.echoes.iter().enumerate() {
        let mut phase = phase.clone();
        turn(&mut phase, |[.., k]| k % 2 == 1);
        let part = |name: &str, of: fn(f32) -> f32| {
            let path = scan.path(n, name);
            let mut part = magnitude.clone();
            part.data_mut().iter_mut().zip(phase.data()).for_each(|(m, &p)| *m *= of(p));
            nifti::write(&path, &part, None).unwrap();
            scan.json(n, name, &times(TIMES_S[n]));
            path
        };
        let (real, imaginary) = (part("real", f32::cos), part("imag", f32::sin));
        echoes.push(EchoParts::Cartesian { real, imaginary });
    }
    let input = read(&ScanFiles { echoes, ..ScanFiles::default() });
    assert_eq!(codes(&input), ["slices_alternate"]);
    assert!(apart(&input, &plain) < 1e-3);
}

#[test]
fn some_inverted_slices_are_told() {
    let mut scan = Scan::new();
    scan.echoes.iter_mut().for_each(|(_, phase)| turn(phase, |[.., k]| k == 5 || k == 8));
    assert_eq!(codes(&read(&scan.in_order())), ["slices_inverted"]);
}

#[test]
fn sidecars_are_read_as_bids_and_converters_write_them() {
    let scan = Scan::new();
    let files = scan.in_order();
    let dataset = tempfile::tempdir().unwrap();
    let anat = dataset.path().join("sub-01/anat");
    std::fs::create_dir_all(&anat).unwrap();
    let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    let moved = |path: &Path| {
        let to = anat.join(path.file_name().unwrap());
        std::fs::copy(path, &to).unwrap();
        to
    };
    let echoes = files.echoes.iter().map(|parts| {
        let (magnitude, phase) = parts.paths();
        EchoParts::Polar { magnitude: moved(magnitude), phase: moved(phase) }
    });
    let files = ScanFiles { echoes: echoes.collect(), ..ScanFiles::default() };
    write(&dataset.path().join("MEGRE.json"), r#"{"MagneticFieldStrength": 7}"#);
    for (n, time) in TIMES_S.iter().enumerate() {
        let text = format!("\u{feff}{{\"EchoTime\": {time}, \"SliceThickness\": NaN}}");
        write(&anat.join(format!("sub-01_echo-{}_MEGRE.json", n + 1)), &text);
    }
    let input = read(&files);
    assert_eq!(input.scan.echo_times_s(), TIMES_S);
    assert_eq!(input.scan.field_strength_t(), 7.0);
}

/// The same isotropic scan, stored upwards and from left to right.
#[test]
fn swi_and_projection_do_not_depend_on_the_order_of_voxels() {
    let upward = grid([20, 22, 24], [2.0; 3]);
    let field_ppm = Volume::from_fn(upward, |[i, j, k]| {
        let vein = (i / 3 + j / 4 + k / 5) % 3 == 0;
        0.002 * (i * j) as f32 - 0.003 * k as f32 + f32::from(u8::from(vein)) * 0.1
    });
    let signal = Signal {
        field_ppm: &field_ppm,
        magnitude: &Volume::from_fn(upward, |[i, j, k]| 1.0 + ((i + 2 * j + 3 * k) % 5) as f32),
        echo_times_s: &[0.02],
        noise: 0.01,
        offset_rad: no_offset,
        even_offset_rad: no_offset,
    };
    let scan = signal.scan();
    // The first axis runs upwards, the last one to the right.
    let rows = [
        [0.0, 0.0, 2.0, -19.0],
        [0.0, 2.0, 0.0, -21.0],
        [2.0, 0.0, 0.0, -23.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let sideward = Grid::new([24, 22, 20], Affine::from_rows(rows).unwrap()).unwrap();
    let turned = |volume: &Volume<f32>| Volume::from_fn(sideward, |[k, j, i]| volume[[i, j, k]]);
    let echo = &scan.echoes()[0];
    let echoes = vec![deepmir_recon::Echo {
        magnitude: turned(&echo.magnitude),
        phase_rad: turned(&echo.phase_rad),
        ..echo.clone()
    }];
    let other = deepmir_recon::GradientEchoScan::new(echoes, 3.0, [1.0, 0.0, 0.0]).unwrap();
    let inside = |grid: Grid| Volume::filled(grid, true);
    let config = ReconConfig::default();
    let one = reconstruct(&scan, Some(&inside(upward)), &config, |_| ()).unwrap();
    let two = reconstruct(&other, Some(&inside(sideward)), &config, |_| ()).unwrap();
    for (a, b) in [
        (&one.swi, &two.swi),
        (&one.minimum_intensity_projection, &two.minimum_intensity_projection),
    ] {
        let a = turned(a);
        let most = a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 1e-3, "{most}");
    }
}
