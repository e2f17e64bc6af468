"""What a new ABI may not do to a released one: change or drop a number, a size, an offset, a range
or a meaning. It may add; limits and ranges may grow, for domains that ask for the newer ABI."""


def differences(released, now, path=""):
    """Sentences, one for each promise that is broken."""
    if isinstance(released, list):
        yield from list_differences(released, now, path)
    elif isinstance(released, dict):
        for key, old in released.items():
            if key not in now:
                yield f"{path}.{key} is gone"
            elif key in ("low", "high") and isinstance(old, int) and ".arguments" in path:
                if (now[key] < old) == (key == "high") and now[key] != old:
                    yield f"{path}.{key} was {old}, is {now[key]}"
            elif path.startswith("limits") and key == "value":
                if now[key] < old:
                    yield f"{path}.value shrank from {old} to {now[key]}"
            else:
                yield from differences(old, now[key], f"{path}.{key}" if path else key)
    elif released != now and path != "version":
        yield f"{path} was {released!r}, is {now!r}"
    elif path == "version" and now < released:
        yield f"version went back from {released:#x} to {now:#x}"


def list_differences(released, now, path):
    new = {item["name"]: item for item in now}
    for position, old in enumerate(released):
        name = old["name"]
        if name not in new:
            yield f"{path} {name} is gone"
            continue
        yield from differences(old, new[name], f"{path} {name}")
        # Arguments, values and fields are told apart by where they stand.
        if path.endswith((".arguments", ".values", ".fields")) and now[position]["name"] != name:
            yield f"{path} {name} is not where it was"
    if path.endswith((".arguments", ".values", ".fields")) and len(now) != len(released):
        yield f"{path} were {len(released)}, are {len(now)}"
