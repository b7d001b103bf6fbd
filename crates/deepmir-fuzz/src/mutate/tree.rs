//! JSON and TOML: one value of the tree replaced, renamed, removed, or there twice.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde_json::{Map, Value};

use super::{Damaged, below, odd, pick, text};

/// Stands where the text of a value that no library would write is put.
const HERE: &str = "\u{e000}here\u{e001}";

/// Damages JSON by its tree in two of three cases, else as any text.
pub fn damage_json(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    if random.random_ratio(1, 3) {
        return Some(text::damage(contents, random));
    }
    let mut tree: Value = serde_json::from_slice(contents).ok()?;
    let (what, new) = damage_tree(&mut tree, odd_json, random)?;
    let written = serde_json::to_string_pretty(&tree).ok()?;
    let marked = format!("\"{HERE}\"");
    Some(Damaged::of_text(written.replace(&marked, &new), what))
}

/// Damages TOML by its tree in two of three cases, else as any text.
pub fn damage_toml(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    if random.random_ratio(1, 3) {
        return Some(text::damage(contents, random));
    }
    let table: toml::Table = toml::from_str(std::str::from_utf8(contents).ok()?).ok()?;
    let mut tree = serde_json::to_value(&table).ok()?;
    let (what, new) = damage_tree(&mut tree, odd_toml, random)?;
    let written = toml::to_string(&tree).ok()?;
    let marked = format!("\"{HERE}\"");
    Some(Damaged::of_text(written.replace(&marked, &new), what))
}

/// Changes one place of a tree; gives what was done, and the text that belongs where [`HERE`] stands.
fn damage_tree(
    tree: &mut Value,
    odd: fn(&mut ChaCha8Rng) -> String,
    random: &mut ChaCha8Rng,
) -> Option<(String, String)> {
    let mut paths = Vec::new();
    collect(tree, &mut Vec::new(), &mut paths);
    let path = pick(&paths, random)?.clone();
    let named = path.join(".");
    let (last, above) = path.split_last()?;
    let parent = above.iter().try_fold(tree, |at, key| child(at, key))?;
    match random.random_range(0..8) {
        0 => {
            match parent {
                Value::Object(map) => drop(map.remove(last)),
                Value::Array(list) => drop(list.remove(last.parse::<usize>().ok()?)),
                _ => return None,
            }
            Some((format!("{named} removed"), String::new()))
        }
        1 => {
            let Value::Object(map) = parent else { return None };
            let value = map.remove(last)?;
            let (first, rest) = (last.chars().next()?, last.chars().skip(1).collect::<String>());
            let other = match random.random_range(0..3) {
                0 if first.is_uppercase() => first.to_lowercase().collect::<String>() + &rest,
                0 => first.to_uppercase().collect::<String>() + &rest,
                1 => format!("{last} "),
                _ => format!("{last}s"),
            };
            let what = format!("{named} renamed {other:?}");
            map.insert(other, value);
            Some((what, String::new()))
        }
        2 => {
            // A list with its entries twice, backwards, or none.
            let Value::Array(list) = child(parent, last)? else { return None };
            let what = match random.random_range(0..3) {
                0 => {
                    list.extend(list.clone());
                    "its entries twice"
                }
                1 => {
                    list.reverse();
                    "backwards"
                }
                _ => {
                    list.clear();
                    "empty"
                }
            };
            Some((format!("{named}: {what}"), String::new()))
        }
        3 => {
            let value = child(parent, last)?;
            let factor = *pick(&[1000.0, 0.001, -1.0, 1e6, 0.5, 1.01], random)?;
            let number = value.as_f64()? * factor;
            *value = serde_json::Number::from_f64(number).map(Value::Number)?;
            Some((format!("{named} times {factor}"), String::new()))
        }
        _ => {
            let new = odd(random);
            *child(parent, last)? = Value::String(HERE.to_owned());
            let shown: String = new.chars().take(40).collect();
            Some((format!("{named} = {shown}"), new))
        }
    }
}

/// Paths to every value, the whole left out.
fn collect(tree: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut visit = |key: String, value: &Value| {
        path.push(key);
        found.push(path.clone());
        collect(value, path, found);
        path.pop();
    };
    match tree {
        Value::Object(map) => map.iter().for_each(|(key, value)| visit(key.clone(), value)),
        Value::Array(list) => {
            list.iter().enumerate().take(64).for_each(|(n, value)| visit(n.to_string(), value));
        }
        _ => {}
    }
}

fn child<'a>(tree: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    match tree {
        Value::Object(map) => map.get_mut(key),
        Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    }
}

fn odd_json(random: &mut ChaCha8Rng) -> String {
    match random.random_range(0..9) {
        0..=2 => odd::number(random).to_owned(),
        3 => Value::String(odd::word(random)).to_string(),
        4 => Value::String(odd::number(random).to_owned()).to_string(),
        5 => {
            let raw =
                ["null", "true", "[]", "{}", "NaN", "Infinity", "\"\\ud800\"", "[[1]]", "'a'", ""];
            pick(&raw, random).copied().unwrap_or("null").to_owned()
        }
        6 => {
            let depth = 100 + below(1000, random);
            "[".repeat(depth) + &"]".repeat(depth)
        }
        7 => {
            // Twice the same key in one object.
            let mut one = Map::new();
            one.insert("EchoTime".to_owned(), Value::from(1));
            let text = Value::Object(one).to_string();
            format!("{},{}", text.trim_end_matches('}'), text.trim_start_matches('{'))
        }
        _ => format!("[{}]", vec![odd::number(random); 1 + below(2000, random)].join(",")),
    }
}

fn odd_toml(random: &mut ChaCha8Rng) -> String {
    match random.random_range(0..8) {
        0..=2 => odd::number(random).to_owned(),
        3 => Value::String(odd::word(random).replace('\0', "")).to_string(),
        4 => {
            let raw = [
                "nan",
                "inf",
                "-inf",
                "true",
                "[]",
                "{}",
                "1979-05-27",
                "\"\"",
                "0xffffffffffffffff",
                "[[1]]",
                "a",
            ];
            pick(&raw, random).copied().unwrap_or("nan").to_owned()
        }
        5 => {
            let depth = 20 + below(2000, random);
            "[".repeat(depth) + &"]".repeat(depth)
        }
        6 => format!("{{ a = {} }}", odd::number(random)),
        _ => format!("[{}]", vec![odd::number(random); 1 + below(2000, random)].join(", ")),
    }
}
