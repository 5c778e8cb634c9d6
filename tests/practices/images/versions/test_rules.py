"""V2 to V10: what each ecosystem's order says, in both directions."""

from __future__ import annotations

import pytest

from martello.practices.images.versions import scheme

# in rising order; those between bars are equal
RULES = {
    "Debian": "1.0~~ 1.0~rc1 1.0|1.0-0|0:1.0 1.0-1 1.0a 1.0+b 1.0.1 1.2.9 1.2.10 1:0.1",
    "opam": "1.0~beta 1.0 1.0-1 1.0.1",
    "Alpine": "1.2_alpha 1.2_beta1 1.2_pre 1.2_rc 1.2_rc1 1.2_blah 1.2 1.2-r0 1.2-r1 1.2-r10 "
    "1.2_cvs 1.2_svn 1.2_git 1.2_hg 1.2_p 1.2_p1 1.2a 1.2b 1.2.01 1.2.1 1.3 006|6",
    "Red Hat": "1.0~rc1-1 1.0~rc1^git-1 1.0-0 1.0-1.el7|0:1.0-1.el7 1.0-1.1 1.0^git1-1 1.0.a-1 "
    "1.0.1-1|1_0_01-1 1.01-1|1.1-1 1:0-1",
    "PyPI": "0.9-eevee 2013-07-19T09:11 0.1 1.0.dev1 1.0a1.dev2 1.0a1|1.0-alpha.1 1.0b2 "
    "1.0rc1|1.0.pre1 1.0|1.0.0|v1 1.0+abc 1.0+abc.1 1.0+1 1.0.post1.dev2 "
    "1.0-1|1.0.post1|1.0.REV1 1.1 1!0.1",
    "Maven": "1.0-alpha-1|1a1 1-beta-1|1B1 1-milestone-1|1m1 1.0-rc-1|1cr1 1-SNAPSHOT "
    "1|1.0|1-final|1.0.GA|1-RELEASE|1. 1-sp 1-xyz 1-1 1-2 1.1",
    "npm": "0.0.0-0 latest 1.2.3-1 1.2.3-a.b.5 1.2.3-a.b.10 1.2.3-a.b.c 1.2.3rc1 "
    "1.2.3|v1.2.3|1.2.3+b 1.2.3.4 1.2.10|=1.2.10",
    "Go": "v0.0.0-20190101000000-abcdefabcdef v0.0.0-20200101000000-000000000000 v0.1.0 "
    "go1.20rc1 go1.20|1.20.0 v2.0.0-alpha v2.0.0|v2.0.0+incompatible",
    "Pub": "1.2.3-dev 1.2.3-dev+1 1.2.3 1.2.3+1 1.2.3+2 1.2.3+10 1.2.3+a 1.2.4",
    "Julia": "1.2.3-rc1 1.2.3 1.2.3+0 1.2.3+1 1.2.4",
    "RubyGems": "1.0.a.0.b 1.0.a 1.0.a.1 1.0.a9 1.0.a.10 1.0.b1 1.0.rc 1.0|1|1.0.0 1.0.1 1.2 1.10",
    "CocoaPods": "1.0.0-beta.1 1.0.0|1.0|1.0.0+5 1.0.1",
    "Packagist": "dev-master 1.0-foo|1.0-BETA 1.0-dev 1.0a1|1.0-alpha1 1.0-beta.2|1.0b2 "
    "1.0RC1|1.0-rc1 1.0|V1.0 1.0.0 1.0.0.1 1.0pl1|v1.0-p1 1.1 1.x-dev 2.0",
    "NuGet": "1.0.0-alpha 1.0.0-BETA|1.0.0-beta+AA 1.0.0-beta.2 1.0.0-beta.10 "
    "1.0|1.0.0.0|1.0+t 1.0.0.1 1.0.01",
    "CRAN": "0.1 0.1.0|0.01-0 0.9 0.75 1 1.0 1.0-1|1.0.1",
    "Hackage": "0.1.26.0 1 1.0 1.0.0 2.0",
    "ConanCenter": "1.0-rc.1 1.0 1.0+1 1.1.1 1.1.1a 1.1.1w 1.1.2",
}


@pytest.mark.parametrize("ecosystem", RULES)
def test_order(ecosystem: str) -> None:
    found = scheme(ecosystem)
    assert found is not None
    steps = [step.split("|") for step in RULES[ecosystem].split()]
    ranked = [(rank, version) for rank, step in enumerate(steps) for version in step]
    for rank, a in ranked:
        for other, b in ranked:
            wanted = (rank > other) - (rank < other)
            assert found.compare(a, b) == wanted, (a, b)
            assert found.name == "rpm" or found.compare_bound(a, b) == wanted, (a, b)
