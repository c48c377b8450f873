"""The bugs of planted.py, along a record's way: written, closed, repaired, read, uploaded, used, forgotten."""

from dataclasses import dataclass

RECORDER, RECOVERY = "tests/test_recorder.py", "tests/test_recovery.py"
FORMAT, READER = "tests/test_record_format.py", "tests/test_safe_reader.py"
DISK_FULL, POWER = "tests/survival/test_disk_full.py", "tests/survival/test_power_loss.py"
KILLS, STOPPING = "tests/survival/test_kills.py", "tests/survival/test_stopping.py"
SPOOL, ARRIVAL, STORAGE = "tests/upload/test_spool.py", "tests/upload/test_arrival.py", "tests/upload/test_storage.py"
UPLOADER, SERVER = "tests/upload/test_uploader.py", "tests/upload/test_server_uploads.py"
QUEUE, COMMANDS = "tests/upload/test_upload_queue.py", "tests/upload/test_commands.py"
VERIFY, EXPORT = "tests/export/test_verify.py", "tests/export"


@dataclass(frozen=True)
class Bug:
    """claim: what is wrong now. good becomes bad in file; tests: which are meant to notice, as pytest takes them."""

    claim: str
    file: str
    good: str
    bad: str
    tests: tuple[str, ...]


BUGS = (
    # -- written -----------------------------------------------------------------------------------------------------
    Bug("a frame is sent before its record is written", "hippogym/live/stage.py",
        "        self.keep(kind, record, **ours, frame=picture.facts() if picture else None)\n"
        "        self.participant.show(picture)\n",
        "        self.participant.show(picture)\n"
        "        self.keep(kind, record, **ours, frame=picture.facts() if picture else None)\n",
        ("tests/survival/test_rule_w.py",)),
    Bug("entries wait in a buffer of the process", "hippogym/data/record_file.py",
        "            written = os.write(self._fd, data)\n",
        "            self._late = getattr(self, '_late', b'') + data\n"
        "            written = len(data)\n"
        "            if len(self._late) > 8192:\n"
        "                os.write(self._fd, self._late)\n"
        "                self._late = b''\n",
        (RECORDER,)),
    Bug("a write that did not fit is not taken back", "hippogym/data/record_file.py",
        "            os.ftruncate(self._fd, self.size)\n", "            pass\n", (RECORDER,)),
    Bug("a write that was cut short is taken for whole", "hippogym/data/record_file.py",
        "            while written < len(data):", "            while False:", (RECORDER,)),
    Bug("an entry is counted before it is written", "hippogym/data/recorder.py",
        "        file.append(data)\n        self._count(kind, odd)\n",
        "        self._count(kind, odd)\n        file.append(data)\n", (RECORDER,)),
    Bug("an entry for which there was no room is left out in silence", "hippogym/live/keeper.py",
        "                if not problem.disk_full or self._out_of_patience():\n                    raise\n",
        "                if problem.disk_full:\n                    return\n                raise\n",
        (DISK_FULL,)),
    Bug("what a participant did when there was no room is forgotten", "hippogym/live/keeper.py",
        "            self.entries.put_back(entry)\n", "", (DISK_FULL,)),
    Bug("what is put back comes to stand where it must not", "hippogym/core/entries.py",
        "        self._fields = {**self._built_fields, **self._fields}\n",
        "        for one in reversed(block['inputs']):\n"
        "            self._fields = {**one['message'], **self._fields}\n",
        ("tests/core",)),
    Bug("a disk that failed to sync is asked again and believed", "hippogym/data/record_file.py",
        "            self.unsynced = True\n            self._broken = f\"the disk could not keep",
        "            _ = f\"the disk could not keep", (RECORDER,)),
    Bug("nothing is synced while an episode runs", "hippogym/data/record_file.py",
        "            if size > synced and not self._file.unsynced:", "            if False:", (RECORDER,)),
    Bug("a participant can type the end of an entry", "hippogym/core/record_format.py",
        "    if whole.rfind(PREFIX, 0, -TRAILER_BYTES) >= 0:", "    if False:", (FORMAT,)),
    Bug("two recorders may write one file", "hippogym/data/record_file.py",
        "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", "        pass\n", (RECORDER, RECOVERY)),
    Bug("two servers may keep records in one folder", "hippogym/data/records_folder.py",
        "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", "        pass\n",
        ("tests/test_records_folder.py",)),
    # -- closed ------------------------------------------------------------------------------------------------------
    Bug("a record is closed without being synced", "hippogym/data/recorder.py",
        "        file.sync()\n        try:\n", "        try:\n", (POWER,)),
    Bug("a manifest is renamed before it is synced", "hippogym/data/manifest.py",
        "        os.fsync(fd)\n    finally:", "        pass\n    finally:", (POWER,)),
    Bug("the name of a closed record is not synced", "hippogym/data/manifest.py",
        "    os.fsync(folder_fd)\n", "", (POWER,)),
    Bug("a trial's folder is not synced", "hippogym/data/recorder.py",
        "        sync_folder(folder.parent)", "        pass", (POWER,)),
    Bug("the manifest has its name before the record has", "hippogym/data/recorder.py",
        "            file.rename()\n            manifest.publish(self._folder_fd, file.stem)\n",
        "            manifest.publish(self._folder_fd, file.stem)\n            file.rename()\n",
        (RECORDER, "tests/survival/test_every_syscall.py", POWER)),
    # -- repaired ----------------------------------------------------------------------------------------------------
    Bug("a torn tail stays", "hippogym/data/recovery.py",
        "    os.ftruncate(fd, good_end)\n", "    pass\n", (RECOVERY,)),
    Bug("a torn tail is cut off and thrown away", "hippogym/data/recovery.py",
        "                rest = rest[os.write(out, rest) :]\n", "                rest = rest[:0]\n", (RECOVERY,)),
    Bug("a torn tail is cut off before its copy is on the disk", "hippogym/data/recovery.py",
        "        os.fsync(out)\n", "        pass\n", (POWER,)),
    Bug("a repair works on what somebody still writes", "hippogym/data/recovery.py",
        "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", "        pass\n", (RECOVERY,)),
    Bug("a record that lost its manifest is not repaired", "hippogym/data/recovery.py",
        "                if part or stem + manifest.MANIFEST not in names:", "                if part:", (RECOVERY,)),
    Bug("a manifest left by a kill is believed whatever it is of", "hippogym/data/recovery.py",
        "    usable = told.get(\"sha256\") == _sha256(fd) and {\"entries\", \"complete\"} <= told.keys()\n",
        "    usable = True\n", (RECOVERY,)),
    Bug("a repaired record says that it is complete", "hippogym/data/recovery.py",
        "        \"complete\": summary.ended and summary.report.intact,\n", "        \"complete\": True,\n",
        (RECOVERY,)),
    Bug("a killed trial is repaired only at the next start", "communicator.py",
        "        if not in_order:", "        if False:", (KILLS, "tests/live/test_troubled_agents.py")),
    # -- read --------------------------------------------------------------------------------------------------------
    Bug("a wrong checksum is accepted", "hippogym/core/record_format.py",
        "!= crc:", "!= crc and False:", (FORMAT, READER)),
    Bug("an entry that stands there twice is read twice", "hippogym/data/reader.py",
        "found.seq <= report.last_seq", "False", (READER,)),
    Bug("missing entries are not noticed", "hippogym/data/reader.py",
        "    if seq > expected:\n", "    if False:\n", (READER, VERIFY)),
    Bug("a pickle may name any function", "hippogym/data/safe_machine.py",
        "        if builder is None:\n",
        "        if builder is None:\n"
        "            import importlib\n\n"
        "            from hippogym.data.safe_builders import Builder\n\n"
        "            try:\n"
        "                found = getattr(importlib.import_module(module), name)\n"
        "            except (ImportError, AttributeError, ValueError):\n"
        "                found = None\n"
        "            builder = Builder(name, lambda arguments: found(*arguments)) if found else None\n"
        "        if builder is None:\n",
        (READER,)),
    Bug("an array may claim to be larger than it is", "hippogym/core/arrays.py",
        "    if math.prod(shape) * dtype.itemsize != len(data):", "    if False:", (READER,)),
    Bug("a small pickle may become a large value", "hippogym/data/safe_pickle.py",
        "    _check_plain(value)\n    return value", "    return value", (READER,)),
    Bug("verify does not look at the manifest's hash", "hippogym/data/verify.py",
        "_COUNTED = (\"entries\", \"ticks\", \"bytes\", \"sha256\", \"trial\")",
        "_COUNTED = (\"entries\", \"ticks\", \"bytes\", \"trial\")", (VERIFY,)),
    Bug("verify does not miss a record", "hippogym/data/verify.py",
        "    if len(gone) == 1:\n", "    if True:\n        pass\n    elif len(gone) == 1:\n", (VERIFY,)),
    # -- uploaded ----------------------------------------------------------------------------------------------------
    Bug("what was put is not looked at again", "hippogym/data/storage/store.py",
        "        after = storage.compare(name, body)\n", "        after = Match.EQUAL\n", (ARRIVAL, STORAGE)),
    Bug("what stands under a name already is replaced", "hippogym/data/storage/store.py",
        "        if before is Match.DIFFERENT:\n            continue\n", "", (ARRIVAL, STORAGE)),
    Bug("a file of the right size is taken for the right file", "hippogym/data/storage/s3.py",
        "            if self._proves(head, body):", "            if True:", (ARRIVAL, STORAGE)),
    Bug("parts are removed before the whole record is there", "hippogym/data/delivery.py",
        "        for ending in (manifest.RECORD, manifest.TORN, manifest.MANIFEST):\n",
        "        for key in list(self._storage.keys(_parts_of(entry))):\n"
        "            self._storage.delete(key)\n"
        "        for ending in (manifest.RECORD, manifest.TORN, manifest.MANIFEST):\n",
        ("tests/upload/test_every_syscall_of_an_upload.py", ARRIVAL, SPOOL)),
    Bug("the manifest goes up before its record", "hippogym/data/delivery.py",
        "(manifest.RECORD, manifest.TORN, manifest.MANIFEST)", "(manifest.MANIFEST, manifest.TORN, manifest.RECORD)",
        (ARRIVAL, SPOOL, "tests/upload/test_every_syscall_of_an_upload.py")),
    Bug("parts stay in the store for ever", "hippogym/data/delivery.py",
        "        self._remove_parts(entry)\n", "", (ARRIVAL,)),
    Bug("a part is put before the spool knows where it ends", "hippogym/data/delivery.py",
        "            self._spool.write(entry)\n            self._send_planned(entry, path)\n",
        "            self._send_planned(entry, path)\n            self._spool.write(entry)\n",
        (ARRIVAL,)),
    Bug("a part is put before it is on our own disk", "hippogym/data/delivery.py",
        "        os.fdatasync(fd)\n", "        pass\n", (POWER,)),
    Bug("half an entry goes up with a part", "hippogym/data/delivery.py",
        "    if end > start:\n        yield end\n",
        "    size = os.stat(path).st_size\n    if size > start:\n        yield size\n",
        (ARRIVAL,)),
    Bug("the spool is renamed before it is synced", "hippogym/data/spool.py",
        "        if sync:\n            os.fsync(fd)\n", "", (POWER,)),
    Bug("the spool forgets what is verified", "hippogym/data/spool.py",
        "        self._done = set(verified(self.folder.parent))\n", "        self._done = set()\n", (SPOOL, ARRIVAL)),
    Bug("the spool forgets what is on its way", "hippogym/data/spool.py",
        "                self._entries[entry.record] = entry\n", "                pass\n", (SPOOL, ARRIVAL)),
    Bug("what failed once is never tried again", "hippogym/data/upload_queue.py",
        "        heapq.heappush(self._later, (trouble.backoff.failed(now_s), ",
        "        str((trouble.backoff.failed(now_s), ", (QUEUE,)),
    Bug("a store in trouble is asked again and again without a pause", "hippogym/data/backoff.py",
        "        self.due_s = now_s + wait_s * (0.5 + 0.5 * self._chance())\n", "        self.due_s = now_s\n",
        (QUEUE,)),
    Bug("uploads end well with something left", "hippogym/data/upload_process.py",
        "                return LEFT if self._queue.found else 0\n", "                return 0\n", (UPLOADER,)),
    Bug("uploads end well at their deadline", "hippogym/data/upload_process.py",
        "        if self._deadline_s is not None and now_s >= self._deadline_s:\n            return LEFT\n",
        "        if self._deadline_s is not None and now_s >= self._deadline_s:\n            return 0\n",
        (UPLOADER, SERVER)),
    Bug("a dead uploader stays dead", "hippogym/data/uploader.py",
        "            if self._is_over(self._code):\n", "            if True:\n", (UPLOADER,)),
    Bug("an uploader outlives its server", "hippogym/data/upload_process.py",
        "                        return LEFT  # the server is gone\n",
        "                        selector.unregister(orders_fd)\n",
        (UPLOADER,)),
    Bug("names of participants are in the log", "hippogym/data/storage/s3_problems.py",
        "            return words, denied\n", "            return f\"{words} ({problem})\", denied\n", (ARRIVAL,)),
    # -- stopped -----------------------------------------------------------------------------------------------------
    Bug("SIGTERM ends the server at once", "hippogym/live/server.py",
        "        def told_to_stop() -> None:\n            stop.set()\n",
        "        def told_to_stop() -> None:\n            os._exit(0)\n", (STOPPING,)),
    Bug("a stopping server does not wait for its trials", "hippogym/live/sessions.py",
        "                    await session.over.wait()\n", "                    session.kill(\"late\")\n", (STOPPING,)),
    Bug("a stopping server does not upload what is left", "hippogym/assembly/server.py",
        "            if uploader is not None:\n                tasks.create_task(asyncio.to_thread(uploader.drain",
        "            if False:\n                tasks.create_task(asyncio.to_thread(uploader.drain", (SERVER,)),
    Bug("a server with something left to upload ends with 0", "hippogym/assembly/uploads.py",
        "    return LEFT\n", "    return 0\n", (SERVER,)),
    # -- used and forgotten ------------------------------------------------------------------------------------------
    Bug("an export is not read again", "hippogym/data/export/run.py",
        "    if written != found:\n", "    if False:\n", (EXPORT,)),
    Bug("a spreadsheet runs what a participant typed", "hippogym/data/export/csv.py",
        ".startswith(_FORMULAS) else text", ".startswith(()) else text", (EXPORT,)),
    Bug("a replay does not look at what differs", "hippogym/replay/outcome.py",
        "digest(recorded) != mine:", "False:", ("tests/replay",)),
    Bug("the older versions of who was forgotten stay in the bucket", "hippogym/data/storage/s3.py",
        "            for kind in (\"Versions\", \"DeleteMarkers\"):", "            for kind in (\"DeleteMarkers\",):",
        (STORAGE, "tests/upload/test_forget_bucket.py")),
    Bug("notes on uploads of who was forgotten stay", "hippogym/data/forgetting/places.py",
        "        for path in files:\n            path.unlink()\n", "        pass\n", ("tests/forget",)),
)  # fmt: skip
