"""Automata over bytes: they accept what a naive search finds, in the fewest states, also as the kernel walks them."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.automaton import (
    ACCEPT,
    ACCEPTED,
    ALL_BYTES,
    MAX_TRANSITIONS,
    START,
    Dfa,
    Nfa,
    compile_dfa,
    determinise,
    encode,
    minimise,
)
from agent.sensors import wire

literals = st.lists(st.text("abX/\0", min_size=1, max_size=5).map(str.encode), min_size=1, max_size=6)
texts = st.text("abxABX/\0é", max_size=20).map(str.encode)


def make_nfa(words):
    """Accept wherever one of the words stands."""
    nfa = Nfa()
    anywhere = nfa.add_node(hub=True)
    nfa.add_edge(anywhere, ALL_BYTES, anywhere)
    for word in words:
        nodes = [anywhere, *(nfa.add_node() for _ in word[1:]), ACCEPTED]
        for index, byte in enumerate(word):
            nfa.add_edge(nodes[index], 1 << byte, nodes[index + 1])
    return nfa, (anywhere,)


def make_dfa(words):
    return determinise(*make_nfa(words), max_states=1000)


def contains(text, words):
    return any(word.lower() in text.lower() for word in words)


def walk_as_kernel(encoded, text):
    """Walk the table as ``next_state`` of bpf/filter.h does."""
    (shift,) = struct.unpack_from("=I", encoded)
    class_of = encoded[4:260]
    following = struct.unpack_from(f"={MAX_TRANSITIONS}H", encoded, 260)
    state = START
    for byte in text:
        state = following[(state << shift | class_of[byte]) & (MAX_TRANSITIONS - 1)]
        if state == ACCEPT:
            return True
    return False


def count_languages(dfa):
    """Count the states that some text tells apart, pair by pair."""
    states = range(len(dfa.rows))
    apart = {(a, b) for a in states for b in states if (a == ACCEPT) != (b == ACCEPT)}
    before = -1
    while before != len(apart):
        before = len(apart)
        apart |= {
            (a, b)
            for a in states
            for b in states
            if any(pair in apart for pair in zip(dfa.rows[a], dfa.rows[b], strict=True))
        }
    return len({tuple((a, b) in apart for b in states) for a in states})


class TestLanguage:
    @given(literals, texts)
    @settings(max_examples=300, deadline=None)
    def test_as_a_naive_search(self, words, text):
        """Before and after it is made small it accepts the texts that hold a word, whatever their case."""
        dfa = make_dfa(words)
        expected = contains(text, words)
        assert (expected, expected) == (compile_dfa(dfa)(text), compile_dfa(minimise(dfa))(text))

    @given(literals, st.lists(texts, max_size=3))
    @settings(max_examples=20, deadline=None)
    def test_as_the_kernel_walks(self, words, several):
        """The encoded table accepts the same."""
        encoded = encode(minimise(make_dfa(words)))
        assert [contains(text, words) for text in several] == [walk_as_kernel(encoded, text) for text in several]

    def test_accepts_nothing(self):
        """Without a word no text is accepted, and the accepting state is there all the same."""
        dfa = minimise(make_dfa([]))
        assert (2, False) == (len(dfa.rows), compile_dfa(dfa)(b"abc"))

    def test_accepts_from_the_first_byte(self):
        """Where any byte will do, the start is still no accepting state."""
        nfa = Nfa()
        start = nfa.add_node()
        nfa.add_edge(start, ALL_BYTES, ACCEPTED)
        accepts = compile_dfa(minimise(determinise(nfa, (start,), max_states=10)))
        assert (False, True, True) == (accepts(b""), accepts(b"\0"), accepts(b"ab"))


class TestSize:
    @given(literals)
    @settings(max_examples=40, deadline=None)
    def test_fewest_states(self, words):
        """No two states of a minimised automaton accept the same, and it has as many as there are languages."""
        dfa = make_dfa(words)
        smallest = minimise(dfa)
        assert count_languages(dfa) == len(smallest.rows) == count_languages(smallest)

    @given(literals)
    @settings(max_examples=40, deadline=None)
    def test_fewest_classes(self, words):
        """Bytes are of one class where no state tells them apart, and every class has a byte."""
        dfa = minimise(make_dfa(words))
        columns = list(zip(*dfa.rows, strict=True))
        assert len(set(columns)) == len(columns)
        assert set(range(len(columns))) == set(dfa.class_of)

    def test_budget(self):
        """Past the budget there is no automaton."""
        assert determinise(*make_nfa([b"a" * 50]), max_states=40) is None
        assert determinise(*make_nfa([b"a" * 50]), max_states=60) is not None


class TestEncode:
    def test_layout(self):
        """The bytes are as many as `struct automaton` has."""
        assert wire.MAX_TRANSITIONS == MAX_TRANSITIONS
        assert wire.AUTOMATON.size == len(encode(make_dfa([b"a"])))

    def test_width(self):
        """Rows are as wide as the next power of two."""
        assert [0, 1, 2, 2, 3] == [Dfa(bytes(256), ((0,) * classes,)).shift for classes in (1, 2, 3, 4, 5)]

    def test_too_large(self):
        """What does not fit is refused."""
        dfa = Dfa(bytes(256), ((0, 0),) * (MAX_TRANSITIONS // 2 + 1))
        with pytest.raises(ValueError, match="does not fit into"):
            encode(dfa)
