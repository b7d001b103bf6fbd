//! Networks for a closer look, and what they say of the subjects that thresholds are chosen on.

use deepmir_lesion::LesionClass;
use deepmir_lesion::operating_point::{Site, ValidationSubject};
use deepmir_volume::nifti::ReadOptions;
use rayon::prelude::*;

use super::CloserLookConfig;
use crate::closer_look::{Block, Example, cut, train};
use crate::{CaseFiles, CloserLook, Modality, NetError, Plan, Precision, Prepared, Weights};

/// Where a subject comes from.
pub(super) struct Source<'a> {
    pub case: &'a CaseFiles,
    /// The images without which it was seen again.
    pub missing: Option<Vec<Modality>>,
}

/// Where to look.
#[derive(Clone, Copy)]
pub(super) struct Looking<'a> {
    pub plan: &'a Plan,
    /// The extent of the candidates.
    pub extent: f32,
    pub read: &'a ReadOptions,
}

/// How a closer look is learned.
pub(super) struct LearningToLook<'a> {
    pub at: Looking<'a>,
    pub config: &'a CloserLookConfig,
    pub seed: u64,
}

/// What is looked at in a subject.
struct Blocks {
    candidates: Vec<(Block, Option<LesionClass>)>,
    /// Those seen again without some of the images.
    again: Vec<Block>,
    /// Lesions that are not among the candidates.
    overlooked: Vec<(Block, Option<LesionClass>)>,
}

impl Blocks {
    /// Tells the subject what networks say of them.
    fn shown_to(
        &self,
        look: &CloserLook,
        subject: &mut ValidationSubject,
        extent: f32,
    ) -> Result<(), NetError> {
        let candidates = self.candidates.iter().map(|(block, _)| block);
        subject.look_closer(extent, None, &look.log_odds(candidates)?);
        subject.look_closer(extent, Some(0), &look.log_odds(&self.again)?);
        Ok(())
    }
}

impl LearningToLook<'_> {
    /// Trains the networks, each on all subjects but a part, and has it look at the candidates of that part. None
    /// where there are too few lesions. `progress` hears of steps done, and of how many.
    ///
    /// # Errors
    /// Unreadable subjects, or a training that diverges.
    pub fn run(
        &self,
        subjects: &mut [ValidationSubject],
        sources: &[Source<'_>],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<Weights>, NetError> {
        let Self { at: Looking { plan, extent, .. }, config, seed } = *self;
        let sites = subjects.iter().flat_map(|subject| subject.sites(extent, None));
        if sites.filter(|site| site.truth.is_some()).count() < config.least_lesions {
            return Ok(Vec::new());
        }
        let blocks: Vec<Blocks> = subjects
            .par_iter()
            .zip(sources)
            .map(|(subject, source)| self.at.blocks(subject, source, config.size, config.shift))
            .collect::<Result<_, _>>()?;
        let settings = config.settings();
        let (parts, mut networks) = (config.networks, Vec::new());
        for part in 0..parts {
            let others = blocks.iter().enumerate().filter(|(place, _)| place % parts != part);
            let examples = others.flat_map(|(_, of)| of.candidates.iter().chain(&of.overlooked));
            let examples: Vec<Example<'_>> = examples
                .map(|(block, truth)| Example { block, kind: self.at.kind(*truth) })
                .collect();
            let (done, of) = (part as u64 * config.steps, parts as u64 * config.steps);
            let weights = train(
                &settings.architecture(plan),
                &examples,
                &self.at.droppable(),
                config,
                seed.wrapping_add(part as u64),
                &mut |step| progress(done + step, of),
            )?;
            // As it will be read from a file.
            let weights = Weights::from_safetensors(&weights.to_safetensors(Precision::Half)?)?;
            let look = CloserLook::new(&settings, plan, std::slice::from_ref(&weights))?;
            let both = subjects.iter_mut().zip(&blocks).enumerate();
            for (_, (subject, blocks)) in both.filter(|(place, _)| place % parts == part) {
                blocks.shown_to(&look, subject, extent)?;
            }
            networks.push(weights);
        }
        Ok(networks)
    }
}

impl Looking<'_> {
    /// Has networks that learned from other subjects look at the candidates of all.
    ///
    /// # Errors
    /// Unreadable subjects.
    pub fn ask(
        &self,
        look: &CloserLook,
        subjects: &mut [ValidationSubject],
        sources: &[Source<'_>],
    ) -> Result<(), NetError> {
        for (subject, source) in subjects.iter_mut().zip(sources) {
            let blocks = self.blocks(subject, source, look.size(), [0; 3])?;
            blocks.shown_to(look, subject, self.extent)?;
        }
        Ok(())
    }

    /// 0 for nothing, 1 for a lesion of the first class, and so on.
    fn kind(&self, truth: Option<LesionClass>) -> usize {
        let place =
            truth.and_then(|truth| self.plan.classes.iter().position(|&told| told == truth));
        place.map_or(0, |place| place + 1)
    }

    /// The images that there may not be, in every choice of them.
    fn droppable(&self) -> Vec<Vec<usize>> {
        let inputs = &self.plan.inputs;
        let places = |missing: &Vec<Modality>| {
            (0..inputs.len()).filter(|&place| missing.contains(&inputs[place])).collect()
        };
        self.plan.shortages().iter().map(places).collect()
    }

    /// Blocks of a size around what is to be looked at, those to learn from with room to shift them in.
    fn blocks(
        &self,
        subject: &ValidationSubject,
        source: &Source<'_>,
        size: [usize; 3],
        shift: [usize; 3],
    ) -> Result<Blocks, NetError> {
        let Self { plan, extent, read, .. } = *self;
        let case = source.case.read(&plan.inputs_of(source.case), read)?;
        let prepared = Prepared::new(&case, plan)?;
        let roomy = std::array::from_fn(|axis| size[axis] + 2 * shift[axis]);
        let to_learn = |sites: Vec<Site>| -> Vec<(Block, Option<LesionClass>)> {
            let block = |site: &Site| (cut(&prepared, site.centre_mm, roomy), site.truth);
            sites.iter().map(block).collect()
        };
        let candidates = to_learn(subject.sites(extent, None));
        let overlooked = to_learn(subject.overlooked(extent));
        let mut again = Vec::new();
        if let Some(missing) = &source.missing {
            let prepared = prepared.without(missing, plan);
            let sites = subject.sites(extent, Some(0));
            again.extend(sites.iter().map(|site| cut(&prepared, site.centre_mm, size)));
        }
        Ok(Blocks { candidates, again, overlooked })
    }
}
