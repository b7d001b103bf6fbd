//! Values that nobody expects.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::pick;

/// Numbers as text, some of which no number type holds.
const NUMBERS: [&str; 27] = [
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "0.5",
    "-0.5",
    "1e-9",
    "1e9",
    "1e308",
    "-1e308",
    "1e400",
    "5e-324",
    "255",
    "256",
    "32767",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1000000",
    "3.0",
    "123456789012345678901234567890",
];

/// Words that stand for no number, or for one.
const WORDS: [&str; 16] = [
    "",
    " ",
    "n/a",
    "NaN",
    "inf",
    "-Infinity",
    "null",
    "true",
    "0x10",
    "1,5",
    "../../etc/passwd",
    "/dev/null",
    "sub-01",
    "ä\u{301}\u{202e}\u{0}",
    "-",
    "s",
];

/// A number as text.
pub fn number(random: &mut ChaCha8Rng) -> &'static str {
    pick(&NUMBERS, random).copied().unwrap_or("0")
}

/// A word, sometimes a very long one.
pub fn word(random: &mut ChaCha8Rng) -> String {
    if random.random_ratio(1, 12) {
        return "x".repeat(100_000);
    }
    pick(&WORDS, random).copied().unwrap_or_default().to_owned()
}

/// A value for a file of floating-point numbers, written so and so many bits wide.
pub fn float(random: &mut ChaCha8Rng) -> f64 {
    let odd = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        1e30,
        -1e30,
        1e-30,
        1e-45,
        5e-324,
        0.1,
        1000.0,
        1e6,
        0.5,
        1.000_01,
        2e9,
    ];
    pick(&odd, random).copied().unwrap_or(0.0)
}

/// An integer for a field of so many bytes.
pub fn integer(bytes: usize, random: &mut ChaCha8Rng) -> i64 {
    let bits = 8 * bytes.min(8) as u32;
    let max = if bits == 64 { i64::MAX } else { (1 << (bits - 1)) - 1 };
    let odd = [
        0,
        1,
        -1,
        2,
        3,
        4,
        7,
        8,
        16,
        64,
        255,
        256,
        512,
        768,
        1024,
        2048,
        max,
        max - 1,
        -max,
        -max - 1,
    ];
    pick(&odd, random).copied().unwrap_or(0)
}
