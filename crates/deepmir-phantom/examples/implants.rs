//! How near implants in maps come to implants in raw echoes: `implants [SEED]` simulates a head, puts lesions into its
//! echoes and into its maps, and tells the difference of what they change, and what a ball's susceptibility times volume
//! becomes. The table is in docs/implants.md.

#![expect(clippy::print_stdout, reason = "an example tells what it finds")]

use std::time::Instant;

use deepmir_phantom::implant::{
    Ladder, MapImplants, MapProtocol, Sites, dark_structures, implant_echoes,
};
use deepmir_phantom::{Anatomy, PhantomConfig, Source, Structure, Subject, simulate};
use deepmir_recon::{Echo, GradientEchoScan, ReconConfig, Reconstruction, reconstruct};
use deepmir_volume::{Affine, Volume};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let mut config = PhantomConfig::default();
    config.output.contents = deepmir_phantom::config::Contents::Raw;
    let subject = Subject::draw(&config, &Anatomy::BuiltIn, seed, 1)?;
    let made = simulate(&subject, &config, 0, &mut |_| {})?;
    let echoes = (0..made.magnitude.len())
        .map(|n| Echo {
            name: format!("echo {}", n + 1),
            magnitude: made.magnitude[n].clone(),
            phase_rad: made.phase_rad[n].clone(),
            echo_time_s: config.scan.echo_times_s[n],
        })
        .collect();
    let scan =
        GradientEchoScan::new(echoes, config.scan.field_strength_t, made.geometry.b0_direction)?;
    let brain = &made.truth.brain_mask;
    let chain = ReconConfig::default();
    let before = reconstruct(&scan, Some(brain), &chain, |_| ())?;

    let to_head = Affine::from_rows(made.drawn.head_pose).ok_or("the head's place is singular")?;
    let structures: Volume<Structure> = subject.head.sample(scan.grid(), &to_head);
    let occupied = dark_structures(&before.swi, &structures, brain)?;
    let sites = Sites::new(&structures, brain, &occupied)?;
    let ladder = Ladder { per_scan: 24, ..Ladder::default() };
    let drawn = sites.climb(&ladder, 0, seed);
    println!("{} sources, {} without room", drawn.sources.len(), drawn.without_room);
    let sources = drawn.sources;

    let start = Instant::now();
    let implanted = implant_echoes(&scan, brain, &sources, seed, ladder.fine_voxel_mm)?;
    println!("echoes: {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let exact = reconstruct(&implanted, Some(brain), &chain, |_| ())?;
    println!("reconstruction: {:.2} s", start.elapsed().as_secs_f64());

    let swi_echo = chain.swi.echo_of(&scan.echo_times_s(), scan.field_strength_t());
    let protocol = MapProtocol {
        field_strength_t: scan.field_strength_t(),
        echo_time_s: scan.echo_times_s()[swi_echo],
        t2w_echo_time_s: config.t2w.echo_time_s,
        b0_direction: Some(scan.b0_direction()),
        slice_axis: None,
        swi: chain.swi,
        inversion: chain.inversion,
    };
    let maps = MapImplants {
        sources: &sources,
        brain,
        protocol: &protocol,
        seed,
        fine_voxel_mm: ladder.fine_voxel_mm,
    };
    let start = Instant::now();
    let magnitude = maps.in_magnitude(&scan.echoes()[swi_echo].magnitude)?;
    let swi = maps.in_swi(&before.swi)?;
    let qsm = maps.in_susceptibility(&before.chi_ppm)?;
    maps.in_t2w(&made.t2w)?;
    println!("maps: {:.2} s", start.elapsed().as_secs_f64());

    println!("kind\tdiameter_mm\tchi_ppm\tmagnitude\tswi\tqsm\tchi_volume_exact\tchi_volume_map");
    for source in &sources {
        let error = |exact: &Volume<f32>, map: &Volume<f32>, before: &Volume<f32>| {
            around(source, exact, |n| {
                let (exact, map, before) = (exact.data()[n], map.data()[n], before.data()[n]);
                [f64::from(map - exact).powi(2), f64::from(exact - before).powi(2)]
            })
        };
        let part = |[difference, change]: [f64; 2]| 100.0 * (difference / change).sqrt();
        let drawn: f64 = source.lobules.iter().map(|lobule| lobule.volume_mm3()).sum();
        let sums = around(source, &qsm, |n| {
            let before = f64::from(before.chi_ppm.data()[n]);
            [f64::from(exact.chi_ppm.data()[n]) - before, f64::from(qsm.data()[n]) - before]
        });
        let moment = |sum: f64| sum * scan.grid().voxel_volume_mm3() / (source.chi_ppm * drawn);
        println!(
            "{}\t{}\t{}\t{:.0}%\t{:.0}%\t{:.0}%\t{:.2}\t{:.2}",
            source.kind.name(),
            (6.0 * drawn / std::f64::consts::PI).cbrt().round_to(1),
            source.chi_ppm,
            part(error(
                &implanted.echoes()[swi_echo].magnitude,
                &magnitude,
                &scan.echoes()[swi_echo].magnitude
            )),
            part(error(&exact.swi, &swi, &before.swi)),
            part(error(&exact.chi_ppm, &qsm, &before.chi_ppm)),
            moment(sums[0]),
            moment(sums[1]),
        );
    }
    summary(&sources, &before, &exact, &swi, &qsm);
    Ok(())
}

/// Two sums over the voxels within 3 mm of a source's surface.
fn around(source: &Source, image: &Volume<f32>, value: impl Fn(usize) -> [f64; 2]) -> [f64; 2] {
    let centre = source.centre_mm();
    let reach = source.reach_mm() + 3.0;
    let mut sums = [0.0; 2];
    for index in 0..image.grid().len() {
        let place = image.grid().position_mm(image.grid().voxel(index));
        let square: f64 = (0..3).map(|axis| (place[axis] - centre[axis]).powi(2)).sum();
        if square < reach * reach {
            let [a, b] = value(index);
            sums = [sums[0] + a, sums[1] + b];
        }
    }
    sums
}

/// The same over all sources together.
fn summary(
    sources: &[Source],
    before: &Reconstruction,
    exact: &Reconstruction,
    swi: &Volume<f32>,
    qsm: &Volume<f32>,
) {
    for (name, exact, map, before) in
        [("SWI", &exact.swi, swi, &before.swi), ("QSM", &exact.chi_ppm, qsm, &before.chi_ppm)]
    {
        let mut total = [0.0; 2];
        for source in sources {
            let [a, b] = around(source, map, |n| {
                let (exact, map, before) = (exact.data()[n], map.data()[n], before.data()[n]);
                [f64::from(map - exact).powi(2), f64::from(exact - before).powi(2)]
            });
            total = [total[0] + a, total[1] + b];
        }
        println!("{name}: {:.0} % of the change", 100.0 * (total[0] / total[1]).sqrt());
    }
}

trait RoundTo {
    fn round_to(self, digits: i32) -> f64;
}

impl RoundTo for f64 {
    fn round_to(self, digits: i32) -> f64 {
        let scale = 10_f64.powi(digits);
        (self * scale).round() / scale
    }
}
