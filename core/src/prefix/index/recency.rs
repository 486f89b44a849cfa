//! The hashes of one endpoint in the order of their use.
//!
//! A list through one vector, linked by number: nothing is allocated once it is as long as it gets.

/// No node.
const NONE: u32 = u32::MAX;

/// Nodes, the most recent first.
#[derive(Debug)]
pub(super) struct Recency {
    nodes: Vec<Node>,
    newest: u32,
    oldest: u32,
    /// A list, linked by `older`, of nodes that hold nothing.
    free: u32,
}

/// A hash at an endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) hash: u64,
    newer: u32,
    older: u32,
    /// The call of `learn`, its lower half, that brought it here.
    pub(super) since: u32,
    /// Calls of `learn` with it since then, less those taken back.
    pub(super) learners: u32,
}

// === impl Node ===

impl Node {
    pub(super) fn new(hash: u64, since: u32) -> Self {
        Self { hash, newer: NONE, older: NONE, since, learners: 1 }
    }
}

// === impl Recency ===

impl Default for Recency {
    fn default() -> Self {
        Self { nodes: Vec::new(), newest: NONE, oldest: NONE, free: NONE }
    }
}

impl Recency {
    pub(super) fn with_capacity(nodes: usize) -> Self {
        Self { nodes: Vec::with_capacity(nodes), ..Self::default() }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Node> {
        self.nodes.get_mut(number as usize)
    }

    /// Nodes, with those that hold nothing.
    pub(super) fn places(&self) -> usize {
        self.nodes.len()
    }

    /// The number of the node that goes first.
    pub(super) fn oldest(&self) -> u32 {
        self.oldest
    }

    /// Adds a node as the most recent one, and answers its number.
    pub(super) fn push(&mut self, node: Node) -> u32 {
        let free = self.free;
        let number = match self.get_mut(free) {
            Some(place) => {
                let next = std::mem::replace(place, node).older;
                self.free = next;
                free
            }
            None => {
                self.nodes.push(node);
                // Never cut off: an endpoint holds `MAX_PAIRS` at most.
                u32::try_from(self.nodes.len() - 1).unwrap_or(NONE)
            }
        };
        self.link(number);
        number
    }

    /// Makes a node the most recent one.
    pub(super) fn renew(&mut self, number: u32) {
        if number != self.newest {
            self.unlink(number);
            self.link(number);
        }
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.unlink(number);
        let free = self.free;
        if let Some(node) = self.get_mut(number) {
            node.older = free;
            self.free = number;
        }
    }

    /// The most recent first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.get(self.newest), |node| self.get(node.older))
    }

    /// The oldest first.
    pub(super) fn iter_from_oldest(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.get(self.oldest), |node| self.get(node.newer))
    }

    /// Puts a node before the newest.
    fn link(&mut self, number: u32) {
        let second = self.newest;
        if let Some(node) = self.get_mut(number) {
            node.newer = NONE;
            node.older = second;
        }
        match self.get_mut(second) {
            Some(node) => node.newer = number,
            None => self.oldest = number,
        }
        self.newest = number;
    }

    fn unlink(&mut self, number: u32) {
        let Some(Node { newer, older, .. }) = self.get(number).copied() else { return };
        match self.get_mut(newer) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.get_mut(older) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }
}
