//! What becomes of lesions between sessions.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::place::Placer;
use super::{Change, Source, SourceKind};
use crate::config::{PhantomConfig, uniform};
use crate::head::Head;

/// The sources of the session after the one with `before`: some microbleeds vanish, some lesions
/// grow, some are new; mimics stay. Vanished ones are kept in the list, marked.
pub(crate) fn next_session(
    head: &Head,
    config: &PhantomConfig,
    before: &[Source],
    generator: &mut ChaCha8Rng,
) -> Vec<Source> {
    let sessions = &config.sessions;
    let mut placer = Placer::new(head, &config.lesions);
    placer.sources = before
        .iter()
        .map(|source| {
            let mut source = source.clone();
            let (vanishes, grows) = (generator.random::<f64>(), generator.random::<f64>());
            let factor = uniform(sessions.growth_factor, generator);
            let is_bleed = source.kind == SourceKind::Microbleed;
            let is_lesion = source.kind.label().is_some();
            let gone = source.change == Change::Vanished
                || is_bleed && vanishes < sessions.vanishing_probability;
            if gone {
                source.change = Change::Vanished;
            } else if is_lesion && grows < sessions.growth_probability {
                source.change = Change::Grown;
                source.lobules = source.lobules.iter().map(|part| part.scaled(factor)).collect();
            } else {
                source.change = Change::Stable;
            }
            source
        })
        .collect();
    let [fewest, most] = sessions.new_microbleeds;
    let new = generator.random_range(fewest..=most);
    (0..new).for_each(|_| placer.microbleed(Change::New, generator));
    placer.sources
}
