"""Versions as they are found, and odd ones, by ecosystem; hypothesis makes more of them."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

SAMPLES: Final = {
    "Debian": "1.0 1.0-1 1:0.9-2 2.4.2-6+lenny1 0.9.8o-4~bpo50+1 1.0~rc1-1 "
    "1.0+dfsg-3ubuntu0.1 0 1.0- 1.0-0 0:1.0 1.2.3-a-4 78.4.0esr-1~deb10u2 1.0~~ "
    "1.0a 1.0. x:1 :1 -1",
    "Alpine": "1.2.3-r0 1.2.3 1.2.3a 1.2.3_rc1 1.2.3_p1-r2 1.2_alpha_pre2 1.02 1.002 006 1. "
    ".1 1-ruff 1.2_blah 6.6.2p1 1.2~abc1 1.2~abc1-r4 a 1-r0-1 1.0_git20200101-r1 "
    "0..8 1-r",
    "Red Hat": "1.0-1.el7 0:2.4.21-9.EL 1.0~rc1 1.0^git1 1.0^ 1-1. 1- a:1 2:1 :1 1.1.β 10xyz "
    "1-2-3 a+ 4.18.0-348.el8.x86_64 0-0 1.0^20160102~pre",
    "PyPI": "1.0 1.0.0 1.0rc1 1.0.dev1 1.0.post1 1.0-1 1!0.5 1.0+local.1 1.0+ubuntu "
    "1.0a1.dev2 v1.0 1.0.post1.dev3 2013-07-19T09:11:08 0.9-eevee 1.3m2 1.0.pre dev",
    "Maven": "1.0 1 1-alpha-1 1.0a1 1.0-SNAPSHOT 1.0.Final 1.0-rc-1 2.0.1-xyz 1.0.RELEASE "
    "1.0-1 1-1.foo 1.2.31.sec10 2.9.0.RC1 2.9.0-1 1.0.SP1 1..0 1-0.1 9.0.0.M13 "
    "1.x.1 1-a1",
    "npm": "1.2.3 v1.2.3 1.2.3-beta.1 1.2.3-beta.11 1.2.3-0 1.2.3+build 1.2.3-a+b 1 1.2 "
    "1.2.3.4 latest 1.2.3- 1.2.3-a..b 1.2.3rc1 =1.0.0 1.0.0--1",
    "Pub": "1.2.3 1.2.3+1 1.2.3+10 1.2.3+a 1.2.3-dev.1 1.2.3-dev.1+2 v1.0.0 1.2 1.2.3+a.b 1.2.3+",
    "RubyGems": "1.0 1.0.0 1.0.a 1.0.0.rc5.0 1.0.rc.2 1.0.b1 1.0-java 2.0.0.pre.1 1.0.a.0.b 0 "
    "1.0.a.0.1",
    "Packagist": "1.0 v1.0 1.0.0 1.0-dev 1.0RC1 1.0-beta.2 1.0pl1 dev-master 2.x-dev 1.0.0.1 "
    "1.0-foo 1.0-BETA1 1.0+2 4.3-2RC2 1.2.3- V2.0",
    "NuGet": "1.0.0 1.0.0.0 1.0.0-Beta 1.0.0-beta.2+meta 1.0.01 1.2.3.4 1.0.0.1-a.1 1",
    "CRAN": "1.0 1.0-1 1.0.1 0.9 0.75 1.0.0 2 1.0-rc 1_0",
    "Hackage": "1.0 1.0.0 0.1.26.0 2 1.0-tag",
    "ConanCenter": "1.1.1 1.1.1a 1.1.1w cci.20200101 1.2.3-rc.1 1.0+1 3.0",
    "CocoaPods": "1.0 1.0.0-beta.1 1.0.0+1 5.0.0-rc1",
    "opam": "1.0 1.0~beta v0.15.1 2.3.0-1 4.14.0+flambda",
}
ALPHABET: Final = "001239.-_+~^:#abrcvdpPRCe!x ٣ß\ud800\0\1"


def versions(ecosystem: str) -> st.SearchStrategy[str]:
    """Samples, samples with a few characters put in or cut out, and noise."""
    samples = st.sampled_from(SAMPLES[ecosystem].split())
    piece = st.text(ALPHABET, max_size=2)

    def changed(sample: str, cut: int, length: int, put: str) -> str:
        cut %= len(sample) + 1
        return sample[:cut] + put + sample[cut + length :]

    mutated = st.builds(changed, samples, st.integers(0, 30), st.integers(0, 3), piece)
    glued = st.builds(lambda a, b, c: a + c + b, samples, samples, piece)
    return samples | mutated | glued | st.text(ALPHABET, max_size=8) | st.text(max_size=8)
