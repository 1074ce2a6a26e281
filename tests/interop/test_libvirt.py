#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""examples/virtual-machine/domain.xml, the machine of the example for libvirt.

No picture: it is the one of examples/virtual-machine.yaml.
"""
import os
import re
import shutil

import underlay  # noqa: F401  pylint: disable=unused-import
from harness import ROOT, Skip, check, equal, main, run, statement

XML = os.path.join(ROOT, "examples/virtual-machine/domain.xml")


@statement("the XML of the example is what libvirt's schema allows, and has the port's MAC")
def schema(_weft):
    for program, package in (("virt-xml-validate", "libvirt-clients"),
                             ("xmllint", "libxml2-utils")):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed (Debian: {package})")
    said = run("virt-xml-validate", XML, "domain")
    equal(said.returncode, 0, f"virt-xml-validate: {said.stdout}{said.stderr}")
    with open(os.path.join(ROOT, "examples/virtual-machine.yaml"), encoding="utf-8") as file:
        mac = re.search(r'mac: "([0-9a-f:]+)"', file.read()).group(1)
    with open(XML, encoding="utf-8") as file:
        check(f"<mac address='{mac}'/>" in file.read(), f"the XML does not have {mac}")


if __name__ == "__main__":
    main(start=False)
