//! The assignment problem: rows to columns, one to one, with the largest sum of weights.
//!
//! Shortest augmenting paths (Jonker and Volgenant, Computing 38:325, 1987): row after row is added
//! along the path that costs least at the present prices, which keep every cost at least zero. The
//! weights are whole numbers, so that the result is exact; the time grows with the third power.

/// The pairs of a row and a column whose weights have the largest sum; as many as the shorter side
/// is long. Rows are of one length. Which of several equal sums is chosen depends on the weights only.
pub(crate) fn heaviest_pairs(weights: &[Vec<i64>]) -> Vec<(usize, usize)> {
    let columns = weights.first().map_or(0, Vec::len);
    if weights.len() <= columns {
        return columns_of_rows(weights).into_iter().enumerate().collect();
    }
    let turned: Vec<Vec<i64>> =
        (0..columns).map(|column| weights.iter().map(|row| row[column]).collect()).collect();
    columns_of_rows(&turned).into_iter().enumerate().map(|(column, row)| (row, column)).collect()
}

/// The column of each row; there are at least as many columns as rows.
fn columns_of_rows(weights: &[Vec<i64>]) -> Vec<usize> {
    let columns = weights.first().map_or(0, Vec::len);
    // One more column, where the path of a new row starts.
    let start = columns;
    let mut row_of: Vec<Option<usize>> = vec![None; columns + 1];
    let mut row_prices = vec![0; weights.len()];
    let mut column_prices = vec![0; columns + 1];
    for new in 0..weights.len() {
        row_of[start] = Some(new);
        let mut costs = vec![i64::MAX; columns];
        let mut reached_from = vec![start; columns];
        let mut on_path = vec![false; columns + 1];
        let mut column = start;
        while let Some(row) = row_of[column] {
            on_path[column] = true;
            for next in (0..columns).filter(|&next| !on_path[next]) {
                let cost = -weights[row][next] - row_prices[row] - column_prices[next];
                if cost < costs[next] {
                    (costs[next], reached_from[next]) = (cost, column);
                }
            }
            let rest = (0..columns).filter(|&next| !on_path[next]);
            let Some(next) = rest.min_by_key(|&next| costs[next]) else { break };
            let step = costs[next];
            for place in 0..=columns {
                match row_of[place] {
                    Some(row) if on_path[place] => {
                        row_prices[row] += step;
                        column_prices[place] -= step;
                    }
                    _ if place < columns => costs[place] -= step,
                    _ => {}
                }
            }
            column = next;
        }
        while column != start {
            row_of[column] = row_of[reached_from[column]];
            column = reached_from[column];
        }
    }
    let mut found = vec![0; weights.len()];
    for (column, row) in row_of.into_iter().take(columns).enumerate() {
        if let Some(row) = row {
            found[row] = column;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(weights: &[Vec<i64>], pairs: &[(usize, usize)]) -> i64 {
        pairs.iter().map(|&(row, column)| weights[row][column]).sum()
    }

    /// The largest sum, by trying every way to give the rows from `row` on a free column or none.
    fn tried(weights: &[Vec<i64>], row: usize, free: &mut Vec<bool>, left_out: usize) -> i64 {
        if row == weights.len() {
            return 0;
        }
        let mut best = i64::MIN;
        if left_out > 0 {
            best = tried(weights, row + 1, free, left_out - 1);
        }
        for column in 0..free.len() {
            if free[column] {
                free[column] = false;
                let rest = tried(weights, row + 1, free, left_out);
                best = best.max(weights[row][column].saturating_add(rest));
                free[column] = true;
            }
        }
        best
    }

    #[test]
    fn worked_examples() {
        assert_eq!(heaviest_pairs(&[]), []);
        assert_eq!(heaviest_pairs(&[vec![], vec![]]), []);
        assert_eq!(heaviest_pairs(&[vec![-3]]), [(0, 0)]);
        // Taking the largest first would give 9 + 1.
        assert_eq!(heaviest_pairs(&[vec![9, 8], vec![7, 1]]), [(0, 1), (1, 0)]);
        assert_eq!(heaviest_pairs(&[vec![1, 5, 9]]), [(0, 2)]);
        assert_eq!(heaviest_pairs(&[vec![1], vec![5], vec![9]]), [(2, 0)]);
    }

    fn tables() -> impl Strategy<Value = Vec<Vec<i64>>> {
        let weight = prop_oneof![Just(0), -3_i64..4, -1_000_000_000_000_i64..1_000_000_000_000];
        (1_usize..6, 1_usize..6).prop_flat_map(move |(rows, columns)| {
            prop::collection::vec(prop::collection::vec(weight.clone(), columns), rows)
        })
    }

    proptest! {
        #[test]
        fn no_other_pairing_is_heavier(weights in tables()) {
            let columns = weights[0].len();
            let pairs = heaviest_pairs(&weights);
            prop_assert_eq!(pairs.len(), weights.len().min(columns));
            let (mut rows, mut taken): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            for side in [&mut rows, &mut taken] {
                side.sort_unstable();
                side.dedup();
                prop_assert_eq!(side.len(), pairs.len());
            }
            let left_out = weights.len().saturating_sub(columns);
            let best = tried(&weights, 0, &mut vec![true; columns], left_out);
            prop_assert_eq!(sum(&weights, &pairs), best);
        }
    }
}
