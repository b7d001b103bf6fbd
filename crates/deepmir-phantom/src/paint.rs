//! A head on the fine grid: what every voxel does to the field and to the signal.

use deepmir_volume::{Affine, Grid, Volume};
use rayon::prelude::*;

use crate::config::PhantomConfig;
use crate::geometry::Geometry;
use crate::noise::Noise;
use crate::physics::gradient_echo::spoiled_steady_state;
use crate::physics::spin_echo::spin_echo;
use crate::random::{Purpose, stream};
use crate::source::{Inclusion, Source, SourceSignal, rasterise};
use crate::structure::Structure;
use crate::subject::Subject;
use crate::tissue::TissueTable;
use crate::veins;

/// The painted head.
pub(crate) struct Painting {
    /// Structures on the fine grid with its margin.
    pub(crate) structures: Volume<Structure>,
    /// Susceptibility in ppm, on the same grid.
    pub(crate) chi_ppm: Volume<f32>,
    /// Gradient-echo signal at echo time zero, on the fine grid.
    pub(crate) amplitude: Volume<f32>,
    /// R2* in 1/s, on the fine grid.
    pub(crate) r2star_hz: Volume<f32>,
    /// Spin-echo signal, on the fine grid.
    pub(crate) spin_echo: Volume<f32>,
    /// R2 and paramagnetic susceptibility, if they are to be told.
    pub(crate) parts: Option<PaintedParts>,
    /// The voxels of the fine grid (without margin) that each source fills.
    pub(crate) sources: Vec<Vec<Inclusion>>,
}

/// What tells the parts of susceptibility, on the fine grid.
pub(crate) struct PaintedParts {
    /// R2 in 1/s.
    pub(crate) r2_hz: Volume<f32>,
    /// The paramagnetic part of susceptibility in ppm.
    pub(crate) chi_positive_ppm: Volume<f32>,
}

/// What a voxel filled by one tissue does.
#[derive(Clone, Copy, Debug, Default)]
struct Paint {
    chi_ppm: f32,
    amplitude: f32,
    r2star_hz: f32,
    spin_echo: f32,
    r2_hz: f32,
    chi_positive_ppm: f32,
}

impl Paint {
    fn mixed(self, other: Self, part: f32) -> Self {
        let mix = |a: f32, b: f32| a + part * (b - a);
        Self {
            chi_ppm: mix(self.chi_ppm, other.chi_ppm),
            amplitude: mix(self.amplitude, other.amplitude),
            r2star_hz: mix(self.r2star_hz, other.r2star_hz),
            spin_echo: mix(self.spin_echo, other.spin_echo),
            r2_hz: mix(self.r2_hz, other.r2_hz),
            chi_positive_ppm: mix(self.chi_positive_ppm, other.chi_positive_ppm),
        }
    }
}

/// The colours of all structures.
fn palette(tissues: &TissueTable, config: &PhantomConfig) -> Vec<Paint> {
    let scan = &config.scan;
    Structure::ALL
        .into_iter()
        .map(|structure| {
            let tissue = tissues.of(structure);
            let steady =
                spoiled_steady_state(scan.flip_angle_deg, scan.repetition_time_s, tissue.t1_s);
            let t2w = &config.t2w;
            let echo =
                spin_echo(t2w.repetition_time_s, t2w.echo_time_s, tissue.t1_s, 1.0 / tissue.t2_s);
            // Blood in arteries flows out of the slice between the pulses of a spin echo.
            let flow = if structure == Structure::Artery { 0.1 } else { 1.0 };
            Paint {
                chi_ppm: tissue.chi_ppm() as f32,
                amplitude: (tissue.proton_density * steady) as f32,
                r2star_hz: tissue.r2star_hz(scan.field_strength_t) as f32,
                spin_echo: (flow * tissue.proton_density * echo) as f32,
                r2_hz: (1.0 / tissue.t2_s) as f32,
                chi_positive_ppm: tissue.chi_positive_ppm as f32,
            }
        })
        .collect()
}

/// Paints a session of a subject.
pub(crate) fn paint(
    subject: &Subject,
    config: &PhantomConfig,
    geometry: &Geometry,
    tissues: &TissueTable,
    to_head: &Affine,
    session: usize,
) -> Painting {
    let structures = subject.head.sample(&geometry.wide, to_head);
    let vessels = veins::rasterise(&subject.veins, &geometry.wide, to_head);
    let palette = palette(tissues, config);
    let texture = Texture::draw(subject.seed, to_head);
    let mut chi_ppm = Volume::filled(geometry.wide, 0.0_f32);
    let mut amplitude = Volume::filled(geometry.fine, 0.0_f32);
    let mut r2star_hz = amplitude.clone();
    let mut echo = amplitude.clone();

    let [nx, ny, _] = geometry.wide.shape();
    chi_ppm.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        let labels = structures.slice(k);
        for ((value, &label), &vein) in slice.iter_mut().zip(labels).zip(vessels.slice(k)) {
            *value = blended(&palette, label, vein).chi_ppm;
        }
    });
    let start = geometry.fine_in_wide.start();
    let [fx, fy, _] = geometry.fine.shape();
    let area = fx * fy;
    amplitude
        .data_mut()
        .par_chunks_mut(area)
        .zip(r2star_hz.data_mut().par_chunks_mut(area))
        .zip(echo.data_mut().par_chunks_mut(area))
        .enumerate()
        .for_each(|(k, ((amplitude, r2star), echo))| {
            let mut shade = vec![0.0; fx];
            for j in 0..fy {
                let from = geometry.wide.index([start[0], start[1] + j, start[2] + k]);
                let labels = &structures.data()[from..from + fx];
                texture.row(&geometry.fine, j, k, &mut shade);
                for i in 0..fx {
                    let vein = vessels.data()[from + i];
                    let mut paint = blended(&palette, labels[i], vein);
                    if labels[i].is_parenchyma() {
                        paint.amplitude *= 1.0 + 0.02 * shade[i];
                        paint.spin_echo *= 1.0 + 0.05 * shade[i];
                        paint.r2star_hz *= shaded_rate(shade[i]);
                    }
                    let at = i + fx * j;
                    amplitude[at] = paint.amplitude;
                    r2star[at] = paint.r2star_hz;
                    echo[at] = paint.spin_echo;
                }
            }
        });
    let parts = config.output.true_parts.then(|| {
        let paint_of = |at: usize| blended(&palette, structures.data()[at], vessels.data()[at]);
        paint_parts(geometry, &structures, &texture, paint_of)
    });
    let mut painting = Painting {
        structures,
        chi_ppm,
        amplitude,
        r2star_hz,
        spin_echo: echo,
        parts,
        sources: Vec::new(),
    };
    for source in &subject.sessions[session] {
        let filled = if source.is_present() {
            rasterise(source, &geometry.fine, to_head)
        } else {
            Vec::new()
        };
        painting.add(source, &filled, geometry, config, subject.seed);
        painting.sources.push(filled);
    }
    painting
}

/// R2 and paramagnetic susceptibility on the fine grid; `paint_of` gives the paint at an index of the wide one.
fn paint_parts(
    geometry: &Geometry,
    structures: &Volume<Structure>,
    texture: &Texture,
    paint_of: impl Fn(usize) -> Paint + Sync,
) -> PaintedParts {
    let start = geometry.fine_in_wide.start();
    let [fx, fy, _] = geometry.fine.shape();
    let mut r2_hz = Volume::filled(geometry.fine, 0.0_f32);
    let mut chi_positive_ppm = r2_hz.clone();
    let rows = r2_hz.data_mut().par_chunks_mut(fx);
    let rows = rows.zip(chi_positive_ppm.data_mut().par_chunks_mut(fx)).enumerate();
    rows.for_each(|(row, (r2, positive))| {
        let (j, k) = (row % fy, row / fy);
        let from = geometry.wide.index([start[0], start[1] + j, start[2] + k]);
        let mut shade = vec![0.0; fx];
        texture.row(&geometry.fine, j, k, &mut shade);
        for i in 0..fx {
            let paint = paint_of(from + i);
            let is_shaded = structures.data()[from + i].is_parenchyma();
            let shade = if is_shaded { shaded_rate(shade[i]) } else { 1.0 };
            (r2[i], positive[i]) = (shade * paint.r2_hz, paint.chi_positive_ppm);
        }
    });
    PaintedParts { r2_hz, chi_positive_ppm }
}

/// What texture makes of a tissue's rates.
fn shaded_rate(shade: f32) -> f32 {
    1.0 + 0.04 * shade
}

/// A voxel of `structure`, of which a vein fills `vein`/255.
fn blended(palette: &[Paint], structure: Structure, vein: u8) -> Paint {
    let paint = palette[structure as usize];
    // Veins in bone and skin are no concern here.
    let inside = structure.is_brain()
        || matches!(structure, Structure::CerebrospinalFluid | Structure::Dura | Structure::Vein);
    if vein == 0 || !inside {
        return paint;
    }
    paint.mixed(palette[Structure::Vein as usize], f32::from(vein) / f32::from(u8::MAX))
}

impl Painting {
    /// Adds a source's susceptibility and what it does to the signal.
    fn add(
        &mut self,
        source: &Source,
        filled: &[Inclusion],
        geometry: &Geometry,
        config: &PhantomConfig,
        seed: u64,
    ) {
        let signal = SourceSignal::of(source, config.scan.field_strength_t, seed);
        let echo_left = signal.spin_echo_left(config.t2w.echo_time_s) as f32;
        let protons_left = signal.protons_left as f32;
        let r2star_hz = signal.r2star_hz as f32;
        let start = geometry.fine_in_wide.start();
        for &Inclusion { index, fraction } in filled {
            let [i, j, k] = geometry.fine.voxel(index);
            let wide = geometry.wide.index([start[0] + i, start[1] + j, start[2] + k]);
            self.chi_ppm.data_mut()[wide] += fraction * source.chi_ppm as f32;
            self.r2star_hz.data_mut()[index] += fraction * r2star_hz;
            if let Some(parts) = &mut self.parts {
                let positive = source.chi_ppm.max(0.0) as f32;
                parts.r2_hz.data_mut()[index] += fraction * signal.r2_hz as f32;
                parts.chi_positive_ppm.data_mut()[index] += fraction * positive;
            }
            self.amplitude.data_mut()[index] *= 1.0 - fraction * (1.0 - protons_left);
            self.spin_echo.data_mut()[index] *= 1.0 - fraction * (1.0 - echo_left);
        }
    }
}

/// Fine differences of tissue from place to place, bound to the head.
struct Texture {
    noise: Noise,
    to_head: Affine,
}

impl Texture {
    fn draw(seed: u64, to_head: &Affine) -> Self {
        let mut generator = stream(seed, Purpose::Texture, 1);
        Self { noise: Noise::smooth(2.2, 64, 2.0, &mut generator), to_head: *to_head }
    }

    fn row(&self, grid: &Grid, j: usize, k: usize, row: &mut [f32]) {
        let affine = self.to_head.after(grid.affine());
        match Grid::new(grid.shape(), affine) {
            Ok(moved) => self.noise.row(&moved, j, k, row),
            Err(_) => row.fill(0.0),
        }
    }
}
