"""The order of a clustering's leaves in which neighbours are nearest.

`scipy.cluster.hierarchy.optimal_leaf_ordering` is not used: it misses the best order in about a third of small cases,
https://github.com/scipy/scipy/issues/11227.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class _Cluster(NamedTuple):
    """A node of the tree: `cost[i, j]` is the least way from its leaf i to its leaf j past all others.

    `inner[i, j]` says where that way leaves the left branch, `outer[i, j]` where it enters the right one, for i of the
    left and j of the right branch.
    """

    leaves: list[int]
    cost: NDArray[np.float64]
    branches: tuple[int, int] = (0, 0)
    inner: NDArray[np.intp] = np.zeros((0, 0), np.intp)
    outer: NDArray[np.intp] = np.zeros((0, 0), np.intp)


def leaf_order(tree: ArrayLike, distance: ArrayLike) -> NDArray[np.intp]:
    """Turn the branches of a clustering so that the sum of the distances between neighbours is least.

    Of all 2^(n-1) orders that the tree allows this finds the best, in n^3 steps.

    Args:
        tree: `(n - 1, >= 2)`, as `scipy.cluster.hierarchy.linkage` gives it: the two nodes that each step joins.
        distance: `(n, n)`, symmetric and finite.

    Returns:
        `(n,)`, a permutation.

    Reference:
        Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical clustering",
        Bioinformatics 17 (2001).
    """
    apart = np.asarray(distance, np.float64)
    nodes = [_Cluster([leaf], np.zeros((1, 1))) for leaf in range(len(apart))]
    for left, right in np.asarray(tree)[:, :2].astype(int).tolist():
        nodes.append(_joined(nodes[left], nodes[right], (left, right), apart))
        for branch in (left, right):  # needed no more, and all of them together are n^3 numbers
            nodes[branch] = nodes[branch]._replace(cost=np.zeros((0, 0)))
    return np.array(_ways_back(nodes), np.intp)


def _joined(one: _Cluster, other: _Cluster, branches: tuple[int, int], apart: NDArray[np.float64]) -> _Cluster:
    across, inner = _cheapest(one.cost, apart[np.ix_(one.leaves, other.leaves)])
    whole, outer = _cheapest(across, other.cost)
    size, both = len(one.leaves), one.leaves + other.leaves
    cost = np.full((len(both), len(both)), np.inf)  # a way begins in one branch and ends in the other
    cost[:size, size:], cost[size:, :size] = whole, whole.T
    return _Cluster(both, cost, branches, inner, outer)


def _cheapest(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The least `first[i, k] + second[k, j]` over k, and that k."""
    ways = [(row[:, None] + second).argmin(axis=0) for row in first]  # a row at a time: all at once is n^3 numbers
    through = np.array(ways, np.intp)
    return np.take_along_axis(first, through, axis=1) + second[through, np.arange(second.shape[1])], through


def _ways_back(nodes: list[_Cluster]) -> list[int]:
    """The leaves along the best way of the whole tree."""
    if not nodes:
        return []
    begin, end = np.unravel_index(nodes[-1].cost.argmin(), nodes[-1].cost.shape)
    order, stack = [], [(len(nodes) - 1, int(begin), int(end))]
    while stack:  # no recursion: a tree may be as deep as it has leaves
        number, i, j = stack.pop()
        node = nodes[number]
        if len(node.leaves) == 1:
            order.append(node.leaves[0])
            continue
        size = len(nodes[node.branches[0]].leaves)
        turned = i >= size
        a, b = (j, i - size) if turned else (i, j - size)
        enters = int(node.outer[a, b])
        leaves = int(node.inner[a, enters])
        if turned:
            stack += [(node.branches[0], leaves, a), (node.branches[1], b, enters)]
        else:
            stack += [(node.branches[1], enters, b), (node.branches[0], a, leaves)]
    return order
