//! Where sources lie.

use deepmir_volume::{Volume, distance};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{Change, Lobule, Source, SourceKind};
use crate::config::{CountAndSize, LesionConfig, Range, pick, uniform};
use crate::head::Head;
use crate::implant::{Rung, Site};
use crate::structure::{Region, Structure};

/// Whether a structure is a site for something.
type IsSite = fn(Structure) -> bool;

/// Share of parenchyma around a site: of what lies in it, of what lies beside it, of the rest.
const SURROUNDED: [f64; 2] = [0.6, 1.0];
const BESIDE: [f64; 2] = [0.25, 0.8];
const ANYWHERE: [f64; 2] = [0.0, 1.0];

/// Length of a piece of a vein in millimetres.
const VEIN_PIECE_MM: Range = [5.0, 14.0];

/// Room between a source's surface and what nothing may touch, in millimetres: places are known to a voxel of one.
const CLEAR_OF_OCCUPIED_MM: f64 = 2.0;

/// Tries to find a free site before a source is given up.
const TRIES: usize = 60;

/// Draws the sources of a subject's first session.
pub(crate) fn draw_sources(
    head: &Head,
    config: &LesionConfig,
    generator: &mut ChaCha8Rng,
) -> Vec<Source> {
    let mut placer = Placer::new(head, config);
    let free = generator.random::<f64>() < config.lesion_free_probability;
    // Drawn in any case, so that the mimics are the same with and without lesions.
    let deposits = count(&config.iron_deposits, generator);
    let bleeds = count(&config.microbleeds, generator);
    if !free {
        (0..deposits).for_each(|_| placer.iron_deposit(generator));
        (0..bleeds).for_each(|_| placer.microbleed(Change::Baseline, generator));
    }
    (0..count(&config.cavernomas, generator)).for_each(|_| placer.cavernoma(generator));
    (0..count(&config.calcifications, generator)).for_each(|_| placer.calcification(generator));
    (0..count(&config.vessel_loops, generator)).for_each(|_| placer.vessel_loop(generator));
    placer.sources
}

pub(crate) fn count(kind: &CountAndSize, generator: &mut ChaCha8Rng) -> u32 {
    generator.random_range(kind.count[0]..=kind.count[1])
}

/// A diameter from the kind's log-normal distribution, cut to its range.
fn diameter(kind: &CountAndSize, generator: &mut ChaCha8Rng) -> f64 {
    let [low, high] = kind.diameter_mm;
    for _ in 0..TRIES {
        let normal: f64 = StandardNormal.sample(generator);
        let diameter = kind.median_diameter_mm * (kind.log_spread * normal).exp();
        if (low..=high).contains(&diameter) {
            return diameter;
        }
    }
    kind.median_diameter_mm.clamp(low, high)
}

/// Finds free sites in one head.
pub(crate) struct Placer<'a> {
    labels: &'a Volume<Structure>,
    config: &'a LesionConfig,
    /// Distance to the nearest deep grey nucleus or ventricle.
    from_deep: Volume<f32>,
    /// Distance to what nothing may touch, on the grid of the labels.
    from_occupied: Option<&'a Volume<f32>>,
    /// Where left and right meet, in the labels' millimetres.
    midline_mm: f64,
    /// The sources so far.
    pub(crate) sources: Vec<Source>,
}

impl<'a> Placer<'a> {
    pub(crate) fn new(head: &'a Head, config: &'a LesionConfig) -> Self {
        Self::of_labels(head.overview(), None, 0.0, config)
    }

    /// In a scan's structures (on voxels of about a millimetre), at the distances of `from_occupied` from what nothing may
    /// touch.
    pub(crate) fn of_labels(
        labels: &'a Volume<Structure>,
        from_occupied: Option<&'a Volume<f32>>,
        midline_mm: f64,
        config: &'a LesionConfig,
    ) -> Self {
        let deep = labels.map(|structure| structure.is_deep_grey());
        let from_deep = distance::distance_to(&deep);
        Self { labels, config, from_deep, from_occupied, midline_mm, sources: Vec::new() }
    }

    /// A microbleed: a ball or ovoid at least half in parenchyma.
    pub(crate) fn microbleed(&mut self, change: Change, generator: &mut ChaCha8Rng) {
        let kind = &self.config.microbleeds;
        let regions = [Region::Lobar, Region::Deep, Region::Infratentorial];
        let region = *pick(&regions, &self.config.microbleed_regions, generator);
        let diameter = diameter(kind, generator);
        // Large bleeds are old and diluted: the strongest susceptibilities are those of small ones.
        let [low, high] = kind.chi_ppm;
        let part = generator.random::<f64>().powf(1.0 + 0.35 * (diameter - 2.0).max(0.0));
        let chi_ppm = low + (high - low) * part;
        let wanted = |placer: &Self, index: usize| placer.region(index) == Some(region);
        let Some(site) = self.site(wanted, diameter / 2.0, SURROUNDED, generator) else { return };
        let lobule = Lobule::draw(site, diameter, 0.12, 0.05, generator);
        let name = match region {
            Region::Lobar => "lobar",
            Region::Deep => "deep",
            Region::Infratentorial => "infratentorial",
        };
        self.add(SourceKind::Microbleed, name, Some(region), change, chi_ppm, vec![lobule]);
    }

    /// A deposit: lobules strewn inside pallidum or putamen, often on both sides.
    pub(crate) fn iron_deposit(&mut self, generator: &mut ChaCha8Rng) {
        let kind = &self.config.iron_deposits;
        let in_pallidum = generator.random::<f64>() < 0.6;
        let inside = |structure: Structure| {
            if in_pallidum { structure.is_pallidum() } else { structure == Structure::Putamen }
        };
        let name = if in_pallidum { "pallidum" } else { "putamen" };
        let sides =
            if generator.random::<f64>() < self.config.bilateral_probability { 2 } else { 1 };
        let chi_ppm = uniform(kind.chi_ppm, generator);
        let first_is_right = generator.random::<bool>();
        for side in 0..sides {
            let right = first_is_right == (side == 0);
            let whole = diameter(kind, generator);
            let wanted = |placer: &Self, index: usize| {
                let x = placer.labels.grid().position_mm(placer.labels.grid().voxel(index))[0];
                inside(placer.labels.data()[index]) && (x > placer.midline_mm) == right
            };
            let Some(centre) = self.site(wanted, whole / 4.0, ANYWHERE, generator) else {
                continue;
            };
            let lobules = self.strewn(centre, whole, inside, generator);
            // The two sides differ a little.
            let chi = (chi_ppm * uniform([0.85, 1.15], generator))
                .clamp(kind.chi_ppm[0], kind.chi_ppm[1]);
            self.add(
                SourceKind::IronDeposit,
                name,
                Some(Region::Deep),
                Change::Baseline,
                chi,
                lobules,
            );
        }
    }

    /// Lobules around a centre whose centres lie where `inside` says, each reaching into another, as
    /// large together as a ball of the diameter `whole` (overlaps apart).
    fn strewn(
        &self,
        centre: [f64; 3],
        whole: f64,
        inside: impl Fn(Structure) -> bool,
        generator: &mut ChaCha8Rng,
    ) -> Vec<Lobule> {
        let mut lobules = vec![Lobule::draw(centre, 0.6 * whole, 0.25, 0.12, generator)];
        let mut left = whole.powi(3) - (0.6 * whole).powi(3);
        for _ in 0..TRIES {
            if left <= 0.0 || lobules.len() > 12 {
                break;
            }
            let size = whole * uniform([0.28, 0.5], generator);
            let place: [f64; 3] = std::array::from_fn(|axis| {
                let normal: f64 = StandardNormal.sample(generator);
                // Nuclei are long from front to back.
                let spread = [0.25, 0.5, 0.35][axis];
                centre[axis] + spread * whole * normal.clamp(-2.0, 2.0)
            });
            let touches = lobules.iter().any(|other| {
                let apart: f64 = (0..3).map(|n| (place[n] - other.centre_mm[n]).powi(2)).sum();
                let radius = other.radii_mm.iter().product::<f64>().cbrt();
                apart.sqrt() < 0.8 * (radius + size / 2.0)
            });
            if touches && self.structure_at(place).is_some_and(&inside) {
                lobules.push(Lobule::draw(place, size, 0.25, 0.12, generator));
                left -= 0.8 * size.powi(3);
            }
        }
        lobules
    }

    pub(crate) fn calcification(&mut self, generator: &mut ChaCha8Rng) {
        let kind = &self.config.calcifications;
        let sites: [(&str, IsSite); 6] = [
            ("pallidum", Structure::is_pallidum),
            ("choroid", |structure| structure == Structure::ChoroidPlexus),
            ("pineal", |structure| structure == Structure::Pineal),
            ("falx", |structure| structure == Structure::Dura),
            ("gm", |structure| structure == Structure::Cortex),
            ("wm", |structure| structure == Structure::WhiteMatter),
        ];
        let &(name, inside) = pick(&sites, &[0.25, 0.22, 0.08, 0.08, 0.2, 0.17], generator);
        let diameter = diameter(kind, generator);
        let chi_ppm = uniform(kind.chi_ppm, generator);
        let wanted = |placer: &Self, index: usize| inside(placer.labels.data()[index]);
        let Some(site) = self.site(wanted, diameter / 2.0, ANYWHERE, generator) else { return };
        let lobule = Lobule::draw(site, diameter, 0.2, 0.12, generator);
        self.add(SourceKind::Calcification, name, None, Change::Baseline, chi_ppm, vec![lobule]);
    }

    pub(crate) fn cavernoma(&mut self, generator: &mut ChaCha8Rng) {
        let kind = &self.config.cavernomas;
        let whole = diameter(kind, generator);
        let wanted =
            |placer: &Self, index: usize| placer.labels.data()[index] == Structure::WhiteMatter;
        let Some(centre) = self.site(wanted, whole / 2.0, SURROUNDED, generator) else { return };
        let lobules = self.strewn(centre, whole, Structure::is_parenchyma, generator);
        let chi_ppm = uniform(kind.chi_ppm, generator);
        self.add(SourceKind::Cavernoma, "wm", None, Change::Baseline, chi_ppm, lobules);
    }

    /// A vessel in the fluid of a sulcus, beside parenchyma.
    pub(crate) fn vessel_loop(&mut self, generator: &mut ChaCha8Rng) {
        let kind = &self.config.vessel_loops;
        let diameter = diameter(kind, generator);
        let chi_ppm = uniform(kind.chi_ppm, generator);
        let wanted = |placer: &Self, index: usize| {
            placer.labels.data()[index] == Structure::CerebrospinalFluid
        };
        let Some(site) = self.site(wanted, diameter / 2.0, BESIDE, generator) else { return };
        let lobule = Lobule::draw(site, diameter, 0.2, 0.05, generator);
        self.add(SourceKind::VesselLoop, "sulcus", None, Change::Baseline, chi_ppm, vec![lobule]);
    }

    /// A straight piece of a vein in white matter, of several times its diameter.
    pub(crate) fn vein_piece(&mut self, kind: &CountAndSize, generator: &mut ChaCha8Rng) {
        let diameter = diameter(kind, generator);
        let chi_ppm = uniform(kind.chi_ppm, generator);
        let length = uniform(VEIN_PIECE_MM, generator);
        let wanted =
            |placer: &Self, index: usize| placer.labels.data()[index] == Structure::WhiteMatter;
        let Some(centre) = self.site(wanted, length / 2.0, SURROUNDED, generator) else { return };
        let mut normal = || -> f64 { StandardNormal.sample(generator) };
        let direction = [normal(), normal(), normal()];
        let norm = direction.iter().map(|part| part * part).sum::<f64>().sqrt().max(1e-9);
        let balls = (length / (0.5 * diameter)).ceil() as usize;
        let lobules = (0..=balls)
            .map(|n| {
                let along = length * (n as f64 / balls as f64 - 0.5);
                let place =
                    std::array::from_fn(|axis| centre[axis] + along * direction[axis] / norm);
                Lobule::ball(place, diameter)
            })
            .collect();
        self.add(SourceKind::VeinPiece, "wm", None, Change::Baseline, chi_ppm, lobules);
    }

    /// A haemorrhage in the white matter of a lobe.
    pub(crate) fn haemorrhage(&mut self, kind: &CountAndSize, generator: &mut ChaCha8Rng) {
        let whole = diameter(kind, generator);
        let chi_ppm = uniform(kind.chi_ppm, generator);
        let wanted =
            |placer: &Self, index: usize| placer.labels.data()[index] == Structure::WhiteMatter;
        let Some(centre) = self.site(wanted, whole / 2.0, SURROUNDED, generator) else { return };
        let lobules = self.strewn(centre, whole, Structure::is_parenchyma, generator);
        self.add(SourceKind::Haemorrhage, "wm", None, Change::Baseline, chi_ppm, lobules);
    }

    /// An ovoid of a kind, size and strength at a site; false if there is no room.
    pub(crate) fn rung(&mut self, rung: &Rung, generator: &mut ChaCha8Rng) -> bool {
        let structure = |placer: &Self, index: usize| placer.labels.data()[index];
        let region = match rung.site {
            Site::Lobar => Region::Lobar,
            Site::Infratentorial => Region::Infratentorial,
            Site::Deep | Site::Pallidum | Site::Putamen => Region::Deep,
        };
        let wanted = |placer: &Self, index: usize| match rung.site {
            Site::Pallidum => structure(placer, index).is_pallidum(),
            Site::Putamen => structure(placer, index) == Structure::Putamen,
            Site::Lobar | Site::Deep | Site::Infratentorial => placer.region(index) == Some(region),
        };
        let radius = rung.diameter_mm / 2.0;
        let site = self.site(wanted, radius, SURROUNDED, generator);
        let Some(site) = site else { return false };
        let lobule = Lobule::draw(site, rung.diameter_mm, 0.12, 0.05, generator);
        let region = rung.kind.label().map(|_| region);
        let name = rung.site.name();
        self.add(rung.kind, name, region, Change::Baseline, rung.chi_ppm, vec![lobule]);
        true
    }

    /// A random place that is `wanted`, of whose ball of `radius` (and a rim of 1 mm) a share
    /// within `parenchyma` is that, and that keeps clear of the other sources.
    fn site(
        &self,
        wanted: impl Fn(&Self, usize) -> bool,
        radius: f64,
        parenchyma: [f64; 2],
        generator: &mut ChaCha8Rng,
    ) -> Option<[f64; 3]> {
        let candidates: Vec<usize> =
            (0..self.labels.data().len()).filter(|&index| wanted(self, index)).collect();
        if candidates.is_empty() {
            return None;
        }
        for _ in 0..TRIES {
            let index = candidates[generator.random_range(0..candidates.len())];
            let grid = self.labels.grid();
            let voxel = grid.position_mm(grid.voxel(index));
            let site = voxel.map(|mm| mm + generator.random::<f64>() - 0.5);
            let clear = self.sources.iter().all(|other| {
                let centre = other.centre_mm();
                let apart: f64 =
                    (0..3).map(|axis| (site[axis] - centre[axis]).powi(2)).sum::<f64>().sqrt();
                apart > radius + other.reach_mm() + self.config.clearance_mm
            });
            let free = self.from_occupied.is_none_or(|distance| {
                f64::from(distance.data()[index]) > radius + CLEAR_OF_OCCUPIED_MM
            });
            let [least, most] = parenchyma;
            if clear
                && free
                && (parenchyma == ANYWHERE
                    || (least..=most).contains(&self.parenchyma_around(site, radius + 1.0)))
            {
                return Some(site);
            }
        }
        None
    }

    fn parenchyma_around(&self, site: [f64; 3], radius: f64) -> f64 {
        let steps = radius.ceil() as i32;
        let (mut inside, mut all) = (0.0, 0.0);
        for c in -steps..=steps {
            for b in -steps..=steps {
                for a in -steps..=steps {
                    let offset = [f64::from(a), f64::from(b), f64::from(c)];
                    if offset.iter().map(|d| d * d).sum::<f64>() > radius * radius {
                        continue;
                    }
                    let place = std::array::from_fn(|axis| site[axis] + offset[axis]);
                    all += 1.0;
                    let brain = self.structure_at(place).is_some_and(Structure::is_parenchyma);
                    inside += f64::from(u8::from(brain));
                }
            }
        }
        inside / all
    }

    fn structure_at(&self, place_mm: [f64; 3]) -> Option<Structure> {
        let grid = self.labels.grid();
        let index = grid.affine().inverse().apply(place_mm).map(f64::round);
        let fits = (0..3).all(|axis| index[axis] >= 0.0 && index[axis] < grid.shape()[axis] as f64);
        fits.then(|| self.labels[index.map(|i| i as usize)])
    }

    /// Deep is what is grey there and the white matter within 6 mm of it.
    fn region(&self, index: usize) -> Option<Region> {
        let structure = self.labels.data()[index];
        if structure.is_infratentorial() {
            return Some(Region::Infratentorial);
        }
        if !structure.is_parenchyma() {
            return None;
        }
        let near = self.from_deep.data()[index] < 6.0;
        let deep = structure.is_deep_grey() || structure == Structure::WhiteMatter && near;
        Some(if deep { Region::Deep } else { Region::Lobar })
    }

    fn add(
        &mut self,
        kind: SourceKind,
        site: &str,
        region: Option<Region>,
        change: Change,
        chi_ppm: f64,
        lobules: Vec<Lobule>,
    ) {
        let id = self.sources.len() as u32 + 1;
        self.sources.push(Source {
            id,
            kind,
            site: site.to_owned(),
            region,
            change,
            chi_ppm,
            lobules,
        });
    }
}
