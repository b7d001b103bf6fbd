//! What a file is that is no NIfTI.

/// What was found in place of a header, and what the user can do.
pub(super) struct Foreign {
    pub reason: String,
    pub remedy: &'static str,
}

const CONVERT: &str = "make one from the scanner's files with dcm2niix";
const AGAIN: &str = "copy or download it again";
const UNPACK: &str = "unpack it first";

/// Where which bytes stand in files of other kinds, what these are, and the remedy.
const KINDS: [(usize, &[u8], &str, &str); 14] = [
    (128, b"DICM", "it is a DICOM file", "convert the series with dcm2niix"),
    (0, b"PK\x03\x04", "it is a zip archive", UNPACK),
    (257, b"ustar", "it is a tar archive", UNPACK),
    (0, b"\x1f\x8b", "it is gzipped twice", "unpack it once with gunzip"),
    (0, b"BZh", "it is compressed with bzip2", "unpack it, or compress it with gzip instead"),
    (0, b"\xfd7zXZ\0", "it is compressed with xz", "unpack it, or compress it with gzip instead"),
    (
        0,
        b"\x28\xb5\x2f\xfd",
        "it is compressed with zstd",
        "unpack it, or compress it with gzip instead",
    ),
    (0, b"7z\xbc\xaf\x27\x1c", "it is a 7z archive", UNPACK),
    (0, b"\x89HDF", "it is an HDF5 or MINC file", "convert it with mnc2nii or ITK"),
    (0, b"CDF\x01", "it is a MINC file", "convert it with mnc2nii"),
    (0, b"MATLAB", "it is a MATLAB file", "write the volume with niftiwrite, with its own header"),
    (0, b"\x89PNG", "it is a picture", CONVERT),
    (0, b"\xff\xd8\xff", "it is a picture", CONVERT),
    (0, b"%PDF", "it is a PDF document", CONVERT),
];

/// How texts begin that come in place of an image, in small letters.
const TEXTS: [(&str, &str); 6] = [
    ("<!doctype", "it is a web page, as a download that needs a login gives"),
    ("<html", "it is a web page, as a download that needs a login gives"),
    ("<head", "it is a web page, as a download that needs a login gives"),
    ("<?xml", "it is a text in XML, such as a server's error message"),
    ("<error", "it is a text in XML, such as a server's error message"),
    ("{", "it is a text in JSON, such as a server's error message or a sidecar"),
];

impl Foreign {
    /// Recognises a kind of file by its first bytes (unpacked, if it is gzipped).
    pub fn recognise(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self { reason: "it is empty (0 bytes)".to_owned(), remedy: AGAIN });
        }
        if bytes.iter().all(|&byte| byte == 0) {
            let reason = "it begins with zeros alone, as an interrupted copy does".to_owned();
            return Some(Self { reason, remedy: AGAIN });
        }
        let is_there = |at: usize, mark: &[u8]| bytes.get(at..at + mark.len()) == Some(mark);
        let kind = KINDS.into_iter().find(|&(at, mark, ..)| is_there(at, mark));
        if let Some((_, _, reason, remedy)) = kind {
            return Some(Self { reason: reason.to_owned(), remedy });
        }
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).to_lowercase();
        let start = start.trim_start_matches('\u{feff}').trim_start();
        let (_, reason) = TEXTS.into_iter().find(|(mark, _)| start.starts_with(mark))?;
        Some(Self { reason: reason.to_owned(), remedy: AGAIN })
    }

    /// What is of no known kind.
    pub fn unknown(reason: String) -> Self {
        Self { reason, remedy: CONVERT }
    }

    /// What ends before its header does.
    pub fn cut_short(length: usize, header: usize) -> Self {
        let reason = format!("it holds {length} bytes and a header takes {header}");
        Self { reason, remedy: AGAIN }
    }
}

/// Bytes as text where they are text, else as hexadecimal.
pub(super) fn shown(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        format!("the text {:?}", String::from_utf8_lossy(bytes))
    } else {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("the bytes {}", digits.join(" "))
    }
}
