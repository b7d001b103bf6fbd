//! The order of a subject's sessions in time.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Scan;
use crate::LabelKind;

/// When a scan was made, by each source that says so, as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanTimes {
    /// `acq_time` of `sub-01_sessions.tsv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_tsv: Option<String>,
    /// `acq_time` of `sub-01_ses-2_scans.tsv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scans_tsv: Option<String>,
    /// `AcquisitionDateTime` of the image's sidecar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<String>,
}

impl ScanTimes {
    /// Of a scan, from the tables in its subject's folder and the sidecars of its images.
    pub fn of(scan: &Scan, folder: &Path) -> Self {
        let Some(session) = &scan.session else { return Self::default() };
        let subject = format!("sub-{}", scan.subject);
        let sessions = rows(&folder.join(format!("{subject}_sessions.tsv")), "session_id");
        let is_ours = |name: &str| LabelKind::Session.bare(name) == session;
        let sessions_tsv = sessions.into_iter().find(|(name, _)| is_ours(name));
        let table = format!("{subject}_ses-{session}_scans.tsv");
        let beside = folder.join(format!("ses-{session}")).join(table);
        let echoes = scan.echoes.iter().flatten().flat_map(|echo| <[&Path; 2]>::from(echo.paths()));
        let images: Vec<&Path> =
            scan.images.values().map(std::path::PathBuf::as_path).chain(echoes).collect();
        let named = |row: &str| {
            let row = Path::new(row).file_name();
            images.iter().any(|image| row.is_some() && image.file_name() == row)
        };
        let scans_tsv = rows(&beside, "filename").into_iter().find(|(name, _)| named(name));
        Self {
            sessions_tsv: sessions_tsv.map(|(_, time)| time),
            scans_tsv: scans_tsv.map(|(_, time)| time),
            sidecar: images.iter().find_map(|image| of_sidecar(image)),
        }
    }
}

/// A column and `acq_time` of a table; nothing if there is no such table or no time in it.
fn rows(path: &Path, column: &str) -> Vec<(String, String)> {
    let reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path);
    let Ok(mut reader) = reader else { return Vec::new() };
    let place = |name: &str, header: &csv::StringRecord| {
        header.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name)
    };
    let Ok(header) = reader.headers() else { return Vec::new() };
    let (Some(name), Some(time)) = (place(column, header), place("acq_time", header)) else {
        return Vec::new();
    };
    let cells = |record: csv::StringRecord| {
        let time = record.get(time).filter(|time| seconds(time).is_some())?;
        Some((record.get(name)?.to_owned(), time.to_owned()))
    };
    reader.records().filter_map(|record| cells(record.ok()?)).collect()
}

fn of_sidecar(image: &Path) -> Option<String> {
    let path = image.with_file_name(format!("{}.json", deepmir_volume::nifti::stem(image)));
    let sidecar = super::parse_object(&std::fs::read(path).ok()?).ok()?;
    let time = sidecar.get("AcquisitionDateTime")?.as_str()?;
    seconds(time).map(|_| time.to_owned())
}

/// What an order was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderFrom {
    /// The user said so.
    #[serde(rename = "stated")]
    Stated,
    /// `acq_time` of `*_sessions.tsv`.
    #[serde(rename = "sessions.tsv")]
    SessionsTable,
    /// `acq_time` of `*_scans.tsv`.
    #[serde(rename = "scans.tsv")]
    ScansTable,
    /// `AcquisitionDateTime` of sidecars.
    #[serde(rename = "AcquisitionDateTime")]
    Sidecars,
    /// Labels that are numbers, or differ in a number alone.
    #[serde(rename = "numbers")]
    Numbers,
    /// The alphabet: it may be wrong.
    #[serde(rename = "guess")]
    Guess,
}

impl OrderFrom {
    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::SessionsTable => "sessions.tsv",
            Self::ScansTable => "scans.tsv",
            Self::Sidecars => "AcquisitionDateTime",
            Self::Numbers => "numbers",
            Self::Guess => "guess",
        }
    }
}

/// An order of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOrder {
    /// Places in what was given, the earliest session first.
    pub order: Vec<usize>,
    /// Where it is from.
    pub from: OrderFrom,
    /// What the user must know of it: a sentence without a full stop.
    pub warning: Option<String>,
}

/// The order in time of sessions (`pre`, without `ses-`): as `stated`, else by the first source of times that has one
/// for each, else by number.
pub fn session_order(sessions: &[(&str, ScanTimes)], stated: &[String]) -> SessionOrder {
    let labels: Vec<&str> = sessions.iter().map(|(label, _)| *label).collect();
    let sorted = |keys: Vec<f64>| {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
        let distinct = order.windows(2).all(|pair| keys[pair[0]] < keys[pair[1]]);
        distinct.then_some(order)
    };
    let place = |label: &&str| {
        let place = stated.iter().position(|name| LabelKind::Session.bare(name) == *label)?;
        Some(place as f64)
    };
    let stated_order = labels.iter().map(place).collect::<Option<Vec<f64>>>().and_then(sorted);
    if let Some(order) = stated_order {
        return SessionOrder { order, from: OrderFrom::Stated, warning: None };
    }
    let by_number = numbers(&labels).and_then(sorted);
    type Source = fn(&ScanTimes) -> Option<&String>;
    let sources: [(OrderFrom, Source); 3] = [
        (OrderFrom::SessionsTable, |times| times.sessions_tsv.as_ref()),
        (OrderFrom::ScansTable, |times| times.scans_tsv.as_ref()),
        (OrderFrom::Sidecars, |times| times.sidecar.as_ref()),
    ];
    let names = |order: &[usize]| {
        order.iter().map(|&n| format!("ses-{}", labels[n])).collect::<Vec<_>>().join(", ")
    };
    // What was stated may be of other subjects' sessions.
    let left_out = match labels.iter().any(|label| place(label).is_some()) {
        true => "; --session-order does not name all of them",
        false => "",
    };
    for (from, time) in sources {
        let times = sessions.iter().map(|(_, times)| time(times).and_then(|time| seconds(time)));
        if let Some(order) = times.collect::<Option<Vec<f64>>>().and_then(sorted) {
            let against = by_number.as_ref().is_some_and(|other| *other != order);
            let warning = against.then(|| {
                format!(
                    "by {} the order of sessions is {}, against their numbers; if that is wrong, mend the times or \
                     state the order with --session-order",
                    from.name(),
                    names(&order)
                )
            });
            let warning = warning.or_else(|| {
                (!left_out.is_empty()).then(|| {
                    format!(
                        "the order of sessions is {}, by {}{left_out}",
                        names(&order),
                        from.name()
                    )
                })
            });
            return SessionOrder { order, from, warning };
        }
    }
    if let Some(order) = by_number {
        let warning = (!left_out.is_empty())
            .then(|| format!("the order of sessions is {}, by number{left_out}", names(&order)));
        return SessionOrder { order, from: OrderFrom::Numbers, warning };
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| natural(labels[a]).cmp(&natural(labels[b])));
    let warning = format!(
        "the order of sessions is a guess, by the alphabet: {}{left_out}; what is new and what is gone depends on it; \
         state it with --session-order, or give acq_time in *_sessions.tsv",
        names(&order)
    );
    SessionOrder { order, from: OrderFrom::Guess, warning: Some(warning) }
}

/// The numbers of labels that are numbers, or that differ in one number alone (`M0`, `M6`, `M12`).
fn numbers(labels: &[&str]) -> Option<Vec<f64>> {
    let apart = |label: &str| {
        let start = label.find(|letter: char| letter.is_ascii_digit())?;
        let rest = &label[start..];
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let around = (label[..start].to_lowercase(), rest[end..].to_lowercase());
        Some((around, rest[..end].parse::<f64>().ok()?))
    };
    let all = labels.iter().map(|label| apart(label)).collect::<Option<Vec<_>>>()?;
    let (first, _) = all.first()?;
    let alike = all.iter().all(|(around, _)| around == first);
    alike.then(|| all.into_iter().map(|(_, number)| number).collect())
}

/// A label with its numbers as numbers: 2 comes before 10.
fn natural(label: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = vec![(String::new(), 0)];
    let mut in_number = false;
    for letter in label.chars() {
        let digit = letter.to_digit(10);
        if digit.is_none() && in_number {
            parts.push((String::new(), 0));
        }
        in_number = digit.is_some();
        if let Some((text, number)) = parts.last_mut() {
            match digit {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
                None => text.push(letter),
            }
        }
    }
    parts
}

/// Seconds of a time as BIDS has it (`2020-01-10T10:00:00.5`, with or without a zone, or a date alone); `None` for what
/// is none. Only differences count.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let fields = |text: &str, mark: char| {
        text.split(mark).map(|field| field.parse::<f64>().ok()).collect::<Option<Vec<_>>>()
    };
    let date = fields(date, '-').filter(|date| date.len() == 3)?;
    let [year, month, day] = [date[0], date[1], date[2]];
    let (time, zone_s) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0.0),
        None => match time.rfind(['+', '-']) {
            Some(at) => {
                let zone = fields(&time[at + 1..], ':').filter(|zone| zone.len() <= 2)?;
                let size = zone[0] * 3600.0 + zone.get(1).copied().unwrap_or(0.0) * 60.0;
                (&time[..at], if time[at..].starts_with('-') { -size } else { size })
            }
            None => (time, 0.0),
        },
    };
    let time = fields(time, ':').filter(|time| (2..=3).contains(&time.len()))?;
    let second = time.get(2).copied().unwrap_or(0.0);
    let possible = (1.0..10_000.0).contains(&year)
        && (1.0..=12.0).contains(&month)
        && (1.0..=31.0).contains(&day)
        && (0.0..24.0).contains(&time[0])
        && (0.0..60.0).contains(&time[1])
        && (0.0..61.0).contains(&second);
    // Days since 1 March of the year 0 (Gregorian): the leap day is a year's last.
    let shifted = year - f64::from(u8::from(month <= 2.0));
    let months = (month + 9.0) % 12.0;
    let leap = (shifted / 4.0).floor() - (shifted / 100.0).floor() + (shifted / 400.0).floor();
    let days = 365.0 * shifted + leap + ((153.0 * months + 2.0) / 5.0).floor() + day;
    let total = days * 86_400.0 + time[0] * 3600.0 + time[1] * 60.0 + second - zone_s;
    (possible && total.is_finite()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untimed<'a>(labels: &[&'a str]) -> Vec<(&'a str, ScanTimes)> {
        labels.iter().map(|&label| (label, ScanTimes::default())).collect()
    }

    fn ordered<'a>(
        sessions: &[(&'a str, ScanTimes)],
        stated: &[&str],
    ) -> (Vec<&'a str>, OrderFrom, bool) {
        let stated: Vec<String> = stated.iter().map(|&label| label.to_owned()).collect();
        let found = session_order(sessions, &stated);
        let labels = found.order.iter().map(|&n| sessions[n].0).collect();
        (labels, found.from, found.warning.is_some())
    }

    #[test]
    fn sessions_follow_their_times_then_their_numbers() {
        let with =
            |time: &str| ScanTimes { sessions_tsv: Some(time.to_owned()), ..ScanTimes::default() };
        let visits = [("post", with("2022-01-10T10:00:00")), ("pre", with("2020-01-10"))];
        assert_eq!(ordered(&visits, &[]), (vec!["pre", "post"], OrderFrom::SessionsTable, false));
        let numbered = untimed(&["1", "10", "2"]);
        assert_eq!(ordered(&numbered, &[]), (vec!["1", "2", "10"], OrderFrom::Numbers, false));
        let months = untimed(&["M12", "M00", "m6"]);
        assert_eq!(ordered(&months, &[]), (vec!["M00", "m6", "M12"], OrderFrom::Numbers, false));
        // Of one session only: no order. Against the numbers: told.
        let one = [("1", with("2022-01-10")), ("2", ScanTimes::default())];
        assert_eq!(ordered(&one, &[]).1, OrderFrom::Numbers);
        let against = [("1", with("2022-01-10")), ("2", with("2020-01-10"))];
        assert_eq!(ordered(&against, &[]), (vec!["2", "1"], OrderFrom::SessionsTable, true));
        let same = [("1", with("2022-01-10")), ("2", with("2022-01-10"))];
        assert_eq!(ordered(&same, &[]).1, OrderFrom::Numbers);
    }

    #[test]
    fn an_order_of_sessions_that_is_a_guess_is_told_and_can_be_stated() {
        let visits = untimed(&["12months", "baseline", "2months"]);
        let (labels, from, told) = ordered(&visits, &[]);
        assert_eq!(
            (labels, from, told),
            (vec!["2months", "12months", "baseline"], OrderFrom::Guess, true)
        );
        let stated = ["ses-baseline", "2months", "12months", "later"];
        let want = (vec!["baseline", "2months", "12months"], OrderFrom::Stated, false);
        assert_eq!(ordered(&visits, &stated), want);
        assert_eq!(ordered(&visits, &["baseline"]).1, OrderFrom::Guess);
        assert!(ordered(&untimed(&["1", "2"]), &["1"]).2);
        assert!(!ordered(&untimed(&["1", "2"]), &["pre", "post"]).2);
        assert!(ordered(&untimed(&["pre", "post"]), &[]).2);
    }

    #[test]
    fn times_are_read_as_the_standard_writes_them() {
        let ahead = |a: &str, b: &str| seconds(b).unwrap() - seconds(a).unwrap();
        assert_eq!(ahead("2020-02-28", "2020-03-01"), 2.0 * 86_400.0);
        assert_eq!(ahead("2021-02-28T00:00:00", "2021-03-01T00:00:00.5"), 86_400.5);
        assert_eq!(ahead("1899-12-31T23:59:59Z", "1900-01-01 00:00"), 1.0);
        assert_eq!(ahead("2020-01-01T00:00:00+01:00", "2020-01-01T00:00:00"), 3600.0);
        for text in
            ["n/a", "", "10:00:00", "2020-13-01", "2020-01-01T25:00:00", "2020-01", "T", "é-1-1"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn times_come_from_tables_and_sidecars() {
        let folder = tempfile::tempdir().unwrap();
        let subject = folder.path().join("sub-01");
        let anat = subject.join("ses-pre/anat");
        std::fs::create_dir_all(&anat).unwrap();
        let write = |path: &str, text: &str| std::fs::write(subject.join(path), text).unwrap();
        write("ses-pre/anat/sub-01_ses-pre_swi.nii", "");
        write(
            "ses-pre/anat/sub-01_ses-pre_swi.json",
            r#"{"AcquisitionDateTime": "2020-01-10T10:00:02.5"}"#,
        );
        write(
            "sub-01_sessions.tsv",
            "\u{feff}session_id\tacq_time\nses-pre\t2020-01-10T10:00:00\n",
        );
        write(
            "ses-pre/sub-01_ses-pre_scans.tsv",
            "filename\tacq_time\nanat/x.nii\tn/a\nanat/sub-01_ses-pre_swi.nii\t2020-01-10T10:00:01\n",
        );
        let scan = &crate::bids::scans_of("sub-01", &subject, &crate::bids::Filters::default())
            .unwrap()[0];
        let times = ScanTimes::of(scan, &subject);
        let all = [&times.sessions_tsv, &times.scans_tsv, &times.sidecar];
        assert!(
            all.iter().all(|time| time.as_ref().unwrap().starts_with("2020-01-10T10:00:0")),
            "{times:?}"
        );
    }
}
