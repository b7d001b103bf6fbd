//! Implants against phantoms that were simulated with the same lesion.

use deepmir_phantom::implant::implant_echoes;
use deepmir_phantom::{
    Anatomy, Change, Lobule, PhantomConfig, Scan, Source, SourceKind, Subject, simulate,
};
use deepmir_recon::{Echo, GradientEchoScan};
use deepmir_volume::Volume;

/// A field of view in the middle of the head at the usual resolution.
fn config(snr: f64) -> PhantomConfig {
    let mut config = PhantomConfig::default();
    config.scan.matrix = [80, 80, 48];
    config.scan.snr = snr;
    // The lattice of the implant's own fine voxels: this is about implants, not about how fine a phantom is.
    config.scan.fine_voxel_mm = 0.375;
    config.person.elastic_mm = 0.0;
    config.veins.medullary = [0, 0];
    config.veins.pial = [0, 0];
    config.output.contents = deepmir_phantom::config::Contents::Raw;
    config.person.rotation_deg = 0.0;
    config.person.shift_mm = 0.0;
    config
}

fn source(kind: SourceKind, chi_ppm: f64, lobules: Vec<Lobule>) -> Source {
    Source {
        id: 1,
        kind,
        site: "wm".to_owned(),
        region: None,
        change: Change::Baseline,
        chi_ppm,
        lobules,
    }
}

fn scan_of(scan: &Scan, config: &PhantomConfig) -> GradientEchoScan {
    let echoes = (0..scan.magnitude.len())
        .map(|n| Echo {
            name: format!("echo {n}"),
            magnitude: scan.magnitude[n].clone(),
            phase_rad: scan.phase_rad[n].clone(),
            echo_time_s: config.scan.echo_times_s[n],
        })
        .collect();
    let scan_config = &config.scan;
    GradientEchoScan::new(echoes, scan_config.field_strength_t, scan.geometry.b0_direction).unwrap()
}

/// Sum of squared differences of two complex images.
fn apart(a: &Echo, b: &Echo) -> f64 {
    let value = |echo: &Echo, n: usize| {
        let (sine, cosine) = f64::from(echo.phase_rad.data()[n]).sin_cos();
        let magnitude = f64::from(echo.magnitude.data()[n]);
        [magnitude * cosine, magnitude * sine]
    };
    (0..a.magnitude.data().len())
        .map(|n| {
            let ([a, b], [c, d]) = (value(a, n), value(b, n));
            (a - c).powi(2) + (b - d).powi(2)
        })
        .sum()
}

/// Errors of implanted scans' echoes against scans simulated with each source, as parts of what the source changes.
fn errors(anatomy: &Anatomy, config: &PhantomConfig, sources: &[Source]) -> Vec<Vec<f64>> {
    let mut subject = Subject::draw(config, anatomy, 1, 1).unwrap();
    subject.sessions[0].clear();
    let without = simulate(&subject, config, 0, &mut |_| {}).unwrap();
    let one = |source| errors_of(&mut subject, &without, config, source);
    sources.iter().map(one).collect()
}

fn errors_of(
    subject: &mut Subject,
    without: &Scan,
    config: &PhantomConfig,
    source: &Source,
) -> Vec<f64> {
    subject.sessions[0] = vec![source.clone()];
    let with = simulate(subject, config, 0, &mut |_| {}).unwrap();
    // The simulated scanner shims the lesion's field away, as far as it goes; an implant comes after the shim.
    let mut shim = with.drawn.shim_ppm;
    for (to, of) in shim.coefficients.iter_mut().zip(without.drawn.shim_ppm.coefficients) {
        *to -= of;
    }
    let (mut with, before) = (scan_of(&with, config), scan_of(without, config));
    let per_ppm = with.radians_per_ppm_second();
    let grid = *with.grid();
    let echoes = with
        .echoes()
        .iter()
        .map(|echo| {
            let mut echo = echo.clone();
            let scale = per_ppm * echo.echo_time_s;
            for (index, phase) in echo.phase_rad.data_mut().iter_mut().enumerate() {
                *phase += (scale * shim.at(grid.position_mm(grid.voxel(index)))) as f32;
            }
            echo
        })
        .collect();
    with = GradientEchoScan::new(echoes, with.field_strength_t(), with.b0_direction()).unwrap();
    let mask = Volume::filled(grid, true);
    let fine = config.scan.fine_voxel_mm;
    let made =
        implant_echoes(&before, &mask, std::slice::from_ref(source), subject.seed, fine).unwrap();
    let pairs = made.echoes().iter().zip(with.echoes()).zip(before.echoes());
    pairs.map(|((made, with), before)| (apart(made, with) / apart(before, with)).sqrt()).collect()
}

#[test]
fn an_implant_equals_the_phantom_simulated_with_that_lesion() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("brain.nii");
    deepmir_volume::nifti::write(&path, &crate::support::made_up_brain(), None).unwrap();
    let white_matter = Anatomy::LabelMap(path);
    let sources = [
        source(SourceKind::Microbleed, 1.2, vec![Lobule::ball([16.3, -16.2, 26.1], 2.5)]),
        source(SourceKind::Microbleed, 2.0, vec![Lobule::ball([16.1, -12.0, 26.4], 1.8)]),
        source(SourceKind::Calcification, -1.0, vec![Lobule::ball([-18.0, -12.0, 25.0], 6.0)]),
    ];
    for (anatomy, snr, most) in
        [(&white_matter, 1e6, 0.02), (&white_matter, 60.0, 0.02), (&Anatomy::BuiltIn, 60.0, 0.06)]
    {
        for found in errors(anatomy, &config(snr), &sources) {
            assert!(found.iter().all(|&error| error < most), "{anatomy:?} {snr}: {found:?}");
        }
    }
}

/// Tissue of 60 all over, with noise of a standard deviation in each part.
fn tissue(noise: f32) -> GradientEchoScan {
    use rand_distr::Distribution;
    let mut generator =
        deepmir_phantom::random::stream(4, deepmir_phantom::random::Purpose::Noise, 0);
    let mut normal = || -> f32 {
        let value: f32 = rand_distr::StandardNormal.sample(&mut generator);
        noise * value
    };
    let affine = deepmir_volume::Affine::from_spacing([1.0; 3], [-40.0, -30.0, -20.0]);
    let grid = deepmir_volume::Grid::new([80, 60, 40], affine).unwrap();
    let parts: Vec<[f32; 2]> = (0..grid.len())
        .map(|index| [60.0 + normal(), normal() + (index % 2) as f32 * 1e-3])
        .collect();
    let echo = Echo {
        name: "echo".to_owned(),
        magnitude: Volume::new(grid, parts.iter().map(|[a, b]| a.hypot(*b)).collect()).unwrap(),
        phase_rad: Volume::new(grid, parts.iter().map(|[a, b]| b.atan2(*a)).collect()).unwrap(),
        echo_time_s: 0.02,
    };
    GradientEchoScan::new(vec![echo], 3.0, [0.0, 0.0, 1.0]).unwrap()
}

fn from_centre(scan: &GradientEchoScan, index: usize) -> f64 {
    let place = scan.grid().position_mm(scan.grid().voxel(index));
    ((place[0] + 15.0).powi(2) + place[1].powi(2) + place[2].powi(2)).sqrt()
}

#[test]
fn noise_stays_where_the_signal_is_gone() {
    let parts = |scan: &GradientEchoScan, index: usize| {
        let echo = &scan.echoes()[0];
        let (sine, cosine) = echo.phase_rad.data()[index].sin_cos();
        let magnitude = echo.magnitude.data()[index];
        [magnitude * cosine, magnitude * sine]
    };
    let (clean, noisy) = (tissue(0.0), tissue(1.0));
    let mask = Volume::filled(*clean.grid(), true);
    let black = source(SourceKind::Microbleed, 2.5, vec![Lobule::ball([-15.0, 0.0, 0.0], 12.0)]);
    let made = [&clean, &noisy]
        .map(|scan| implant_echoes(scan, &mask, std::slice::from_ref(&black), 1, 0.5).unwrap());
    let (mut before, mut after, mut both) = (0.0, 0.0, 0.0);
    for index in 0..clean.grid().len() {
        if from_centre(&clean, index) < 2.5 {
            let (a, b) = (parts(&noisy, index), parts(&clean, index));
            let (c, d) = (parts(&made[1], index), parts(&made[0], index));
            // What is left of 60 rings.
            assert!(d[0].hypot(d[1]) < 20.0, "{}", d[0].hypot(d[1]));
            for part in 0..2 {
                let (old, new) = (f64::from(a[part] - b[part]), f64::from(c[part] - d[part]));
                before += old * old;
                after += new * new;
                both += old * new;
            }
        }
    }
    assert!(both / (before * after).sqrt() > 0.85, "{}", both / (before * after).sqrt());
    assert!((0.7..1.2).contains(&(after / before)), "{}", after / before);
}

#[test]
fn far_away_every_bit_stays() {
    let scan = tissue(1.0);
    let mask = Volume::filled(*scan.grid(), true);
    let weak = source(SourceKind::Microbleed, 0.3, vec![Lobule::ball([-15.0, 0.0, 0.0], 2.0)]);
    let made = implant_echoes(&scan, &mask, &[weak], 1, 0.5).unwrap();
    let (made, before) = (&made.echoes()[0], &scan.echoes()[0]);
    let same = |index: usize| {
        [(&made.magnitude, &before.magnitude), (&made.phase_rad, &before.phase_rad)]
            .iter()
            .all(|(a, b)| a.data()[index].to_bits() == b.data()[index].to_bits())
    };
    let changed = |near: bool| {
        (0..scan.grid().len())
            .filter(|&index| (from_centre(&scan, index) < 25.0) == near && !same(index))
            .count()
    };
    assert!(changed(true) > 500);
    assert_eq!(changed(false), 0);
}
