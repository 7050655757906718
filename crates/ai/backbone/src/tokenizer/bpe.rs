use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Merge rules: a pair of tokens that becomes one, and its rank (lower merges first).
pub(super) type Merges = HashMap<(u32, u32), (u32, u32)>;

#[derive(Clone, Copy)]
struct Symbol {
    token: u32,
    previous: Option<u32>,
    next: Option<u32>,
    alive: bool,
}

/// Applies merges, lowest rank first and leftmost among equals, until none is left. O(n log n), so that a long word without a space
/// cannot stall the server.
pub(super) fn merge(tokens: &[u32], merges: &Merges, out: &mut Vec<u32>) {
    let count = tokens.len() as u32;
    let mut symbols: Vec<Symbol> = (0..count)
        .zip(tokens)
        .map(|(i, &token)| Symbol {
            token,
            previous: i.checked_sub(1),
            next: (i + 1 < count).then_some(i + 1),
            alive: true,
        })
        .collect();
    // (rank, position, left token, right token): the tokens tell whether the entry still holds when it comes up.
    let mut queue = BinaryHeap::new();
    let propose = |queue: &mut BinaryHeap<_>, symbols: &[Symbol], left: u32| {
        let Some(right) = symbols[left as usize].next else { return };
        let pair = (symbols[left as usize].token, symbols[right as usize].token);
        if let Some(&(rank, _)) = merges.get(&pair) {
            queue.push(Reverse((rank, left, pair.0, pair.1)));
        }
    };
    for left in 0..count {
        propose(&mut queue, &symbols, left);
    }
    while let Some(Reverse((_, left, left_token, right_token))) = queue.pop() {
        let symbol = symbols[left as usize];
        let Some(right) = symbol.next.filter(|_| symbol.alive && symbol.token == left_token) else { continue };
        let removed = symbols[right as usize];
        if removed.token != right_token {
            continue;
        }
        symbols[right as usize].alive = false;
        symbols[left as usize].token = merges[&(left_token, right_token)].1;
        symbols[left as usize].next = removed.next;
        if let Some(after) = removed.next {
            symbols[after as usize].previous = Some(left);
        }
        propose(&mut queue, &symbols, left);
        if let Some(before) = symbols[left as usize].previous {
            propose(&mut queue, &symbols, before);
        }
    }
    out.extend(symbols.iter().filter(|symbol| symbol.alive).map(|symbol| symbol.token));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_ranks_merge_first() {
        // tokens: a=0 b=1 c=2 ab=3 bc=4 abc=5
        let merges = Merges::from([((1, 2), (0, 4)), ((0, 1), (1, 3)), ((0, 4), (2, 5))]);
        let run = |tokens: &[u32]| {
            let mut out = Vec::new();
            merge(tokens, &merges, &mut out);
            out
        };
        assert_eq!(run(&[0, 1, 2]), [5]);
        assert_eq!(run(&[0, 1, 0, 1, 2]), [3, 5]);
        assert_eq!(run(&[2, 2]), [2, 2]);
        assert_eq!(run(&[]), [0u32; 0]);
    }

    #[test]
    fn equal_pairs_merge_from_the_left() {
        let merges = Merges::from([((0, 0), (0, 1))]);
        let mut out = Vec::new();
        merge(&[0, 0, 0], &merges, &mut out);
        assert_eq!(out, [1, 0]);
    }
}
