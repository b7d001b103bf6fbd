//! Sets of modalities and of classes, as a study's file names them.

use serde::Deserialize;

/// One word, or a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum Factors {
    /// As the variant's preset has it.
    #[default]
    Usual,
    /// `all`, or one set.
    Word(String),
    /// Sets.
    List(Vec<String>),
}

impl Factors {
    /// The sets; `None` if the file names none.
    ///
    /// # Errors
    /// Words that stand for nothing, empty or repeated sets.
    pub(crate) fn sets<T>(&self, all: &[T], most_first: bool) -> Result<Option<Vec<Vec<T>>>, String>
    where
        T: Copy + Ord + std::str::FromStr<Err = String>,
    {
        let words: Vec<&str> = match self {
            Self::Usual => return Ok(None),
            Self::Word(word) if word == "all" => return Ok(Some(subsets(all, most_first))),
            Self::Word(word) => vec![word],
            Self::List(words) => words.iter().map(String::as_str).collect(),
        };
        let mut sets = Vec::new();
        for word in words {
            let items = word.split('+').map(|item| item.trim().parse::<T>());
            let mut set = items.collect::<Result<Vec<T>, String>>()?;
            set.sort_unstable();
            if repeated(&set) {
                return Err(format!("{word:?} names something twice"));
            }
            sets.push(set);
        }
        if sets.is_empty() || repeated(&sets) {
            return Err("give one or more different sets of inputs and classes".to_owned());
        }
        Ok(Some(sets))
    }
}

/// Every set with at least one of the items, by size.
fn subsets<T: Copy>(all: &[T], most_first: bool) -> Vec<Vec<T>> {
    let mut sets: Vec<Vec<T>> = (1_usize..1 << all.len())
        .map(|bits| (0..all.len()).filter(|n| bits >> n & 1 == 1).map(|n| all[n]).collect())
        .collect();
    sets.sort_by_key(|set: &Vec<T>| set.len());
    if most_first {
        sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    }
    sets
}

pub(crate) fn repeated<T: PartialEq>(items: &[T]) -> bool {
    (0..items.len()).any(|n| items[..n].contains(&items[n]))
}

/// `SWI+QSM`.
pub(crate) fn joined<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_cases::Modality;
    use deepmir_lesion::LesionClass;

    #[test]
    fn all_are_seven_inputs_and_three_classes() {
        let all = Factors::Word("all".to_owned());
        let inputs = all.sets(&Modality::ALL, false).unwrap().unwrap();
        let names: Vec<String> = inputs.iter().map(|set| joined(set)).collect();
        assert_eq!(names, ["SWI", "QSM", "T2w", "SWI+QSM", "SWI+T2w", "QSM+T2w", "SWI+QSM+T2w"]);
        let classes = all.sets(&LesionClass::ALL, true).unwrap().unwrap();
        let names: Vec<String> = classes.iter().map(|set| joined(set)).collect();
        assert_eq!(names, ["CMB+NHID", "CMB", "NHID"]);
    }

    #[test]
    fn sets_are_read_in_any_order_and_faults_are_named() {
        let sets = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Factors::List(words).sets(&Modality::ALL, false)
        };
        let expected = vec![vec![Modality::Swi, Modality::Qsm]];
        assert_eq!(sets(&["qsm + SWI"]).unwrap().unwrap(), expected);
        assert!(sets(&["SWI+SWI"]).unwrap_err().contains("twice"));
        assert!(sets(&["SWI+QSM", "QSM+SWI"]).is_err());
        assert!(sets(&["FLAIR"]).unwrap_err().contains("FLAIR"));
        assert!(sets(&[]).is_err());
    }
}
