"""ID blocks for tests: cloister measure snp signs a digest with a fresh key."""
import base64
import json
import os
import subprocess

CLOISTER = os.path.abspath("build/bin/cloister")


def signed(ld, folder, *options):
    """The files of an ID block and of its authentication for that digest."""
    key = os.path.join(folder, "id.key")
    subprocess.run(["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", key],
                   check=True)
    out = subprocess.run([CLOISTER, "measure", "snp", "--digest", ld, "--id-key", key, "--json",
                          *options], check=True, text=True, stdout=subprocess.PIPE).stdout
    made, paths = json.loads(out), []
    assert made["measurement"] == ld
    for name in ("id-block", "id-auth"):
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "wb") as f:
            f.write(base64.b64decode(made[name]))
    return paths
