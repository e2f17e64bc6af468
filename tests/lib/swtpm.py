"""A software TPM 2.0 for QEMU."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from sentences import Skip


class Swtpm:
    """with Swtpm() as tpm: ... tpm.qemu("tpm-crb"). Skips where there is no swtpm."""

    def __enter__(self):
        if shutil.which("swtpm") is None:
            raise Skip("there is no swtpm")
        self.folder = tempfile.mkdtemp(prefix="cloister-tpm-")
        self.socket = os.path.join(self.folder, "socket")
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}", "--ctrl",
             f"type=unixio,path={self.socket}"], stdout=subprocess.DEVNULL)
        for _ in range(100):
            if os.path.exists(self.socket):
                return self
            time.sleep(0.05)
        raise AssertionError("swtpm does not start")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.folder)

    def qemu(self, device):
        """Words for QEMU's command line."""
        return ["-chardev", f"socket,id=tpm,path={self.socket}", "-tpmdev",
                "emulator,id=tpm0,chardev=tpm", "-device", f"{device},tpmdev=tpm0"]
