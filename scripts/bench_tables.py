"""The results of bench.py as Markdown tables."""


def count(value):
    """A rate or a count in three digits: 98.3 M."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def cell(value, digits=2):
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.{digits}f}"


def megabytes(value):
    return f"{value / 1e6:.1f}"


def table_of(head, rows):
    """Columns as wide as their widest cell."""
    lines = [head, *[[str(c) for c in row] for row in rows]]
    width = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, width)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (w + 2) for w in width) + "|", *text[1:]])


def sweep(result):
    rows, beside = result["sweep"], result["beside"]
    head = ["k", "threads", "kernel", "updates/s", "to reference", "to in-cache", "GB/s of rows", "GB/s beyond L2", "Gflop/s",
            "concat updates/s", *[b["name"] for b in beside], *[f"to {b['name']}" for b in beside]]
    body = []
    for r in rows:
        others = [b["updates_per_second"].get(str(r["factors"]), {}).get(str(r["threads"])) for b in beside]
        body.append([r["factors"], r["threads"], r["kernel"], count(r["updates_per_second"]), cell(r["to_reference"]),
                     cell(r["to_in_cache"]), cell(r["gigabytes_per_second"], 1), cell(r["beyond_l2_gigabytes_per_second"], 1),
                     cell(r["gigaflops"], 1),
                     count(r["concat_updates_per_second"]) if "concat_updates_per_second" in r else "-",
                     *[count(o) if o else "-" for o in others],
                     *[cell(r["updates_per_second"] / o) if o else "-" for o in others]])
    models = "; ".join(f"k {r['factors']}: {r['bytes_per_update']:.0f} B, {r['beyond_l2_bytes_per_update']:.0f} B beyond L2 "
                       f"({100 * r['in_l2_share']:.0f} % of the updates find their row there), {r['flops_per_update']:.0f} flop"
                       for r in rows if r["threads"] == rows[0]["threads"])
    return (f"**Sweep**, {rows[0]['ratings']} ratings. *Reference* is the plain loop (BMF_KERNEL=ref) on the same number of "
            f"threads; *in-cache* is the same kernel where all rows of P and Q stay in L2 ({rows[0]['in_cache_bytes'] // 1024} "
            f"to {rows[-1]['in_cache_bytes'] // 1024} KiB of {rows[0]['l2_bytes'] // 1024}), each thread on its own rows.\n\n"
            f"{table_of(head, body)}\n\n"
            "An update is taken as 8 B of rating and 8 k B of a row of Q, read and written, and 10 k + 13 flop (2 k for the dot "
            "product, 4 k for each row, the rest for error and biases). Beyond L2 counts the rows that do not fit when L2 "
            f"holds those of the most rated items. {models}.")


def epoch(result):
    rows = result["epoch"]
    names = list(dict.fromkeys(name for r in rows for name in r["phase"]))
    head = ["k", "ranks × threads", "epoch ms", "updates/s in the sweep", "speed-up", "merge share", *[f"{n} ms" for n in names]]
    body = [[r["factors"], f"{r['ranks']} × {r['threads']}", cell(1e3 * r["seconds"], 1), count(r["updates_per_second"]),
             cell(r["speed_up"]), cell(r["merge_share"], 3),
             *[cell(1e3 * r["phase"][n], 2) if n in r["phase"] else "-" for n in names]] for r in rows]
    return ("**Whole epochs** of `blendmf train --content none`, validation and merges included. The speed-up is that of the "
            f"epoch over 1 × 1.\n\n{table_of(head, body)}")


def content(result):
    rows = result["content"]
    body = [[r["features"], cell(1e3 * r["plain_seconds"], 1),
             cell(r["concat_seconds"] and 1e3 * r["concat_seconds"], 1), cell(r["ratio"]), r.get("skipped", "")] for r in rows]
    return (f"**Content**: an epoch of concat to one of plain, k {rows[0]['factors']}, 1 × 1, {rows[0]['features_per_item']} "
            f"features an item.\n\n{table_of(['features', 'plain ms', 'concat ms', 'ratio', ''], body)}")


def memory(result):
    rows = result["memory"]
    head = ["k", "ranks", "peak MB", "without data MB", "taken MB", "model MB", "taken to model",
            "with best copy and validation"]
    body = [[r["factors"], r["ranks"], megabytes(r["peak_bytes"]), megabytes(r["base_bytes"]), megabytes(r["used_bytes"]),
             megabytes(r["model_bytes"]), cell(r["used_to_model"]), cell(r["used_to_model_with_best_and_validation"])]
            for r in rows]
    return ("**Memory** of the largest rank in `blendmf train --content none`, less what the same program takes for 200 ratings. "
            "The model is 8 × ratings + 4 (m + n)(k + 1) + merge buffers (4 n (k + 1) and 2 MiB with several ranks); the last "
            f"column adds the best epoch's copy and 8 × validation ratings to it.\n\n{table_of(head, body)}")


def read(result):
    rows = result["read"]
    if isinstance(rows, dict):
        return f"**Reading**: skipped, {rows['skipped']}."
    parts = []
    for kind in dict.fromkeys(r.get("measurement") for r in rows):
        chosen = [r for r in rows if r.get("measurement") == kind]
        names = [n for n in chosen[0] if n != "measurement"]
        body = [[short(r.get(n)) for n in names] for r in chosen]
        parts.append(f"*{kind}*\n\n{table_of([n.replace('_', ' ') for n in names], body)}")
    return "**Reading**\n\n" + "\n\n".join(parts)


def topn(result):
    rows = result["topn"]
    head = ["content", "threads", "users/s", "Gflop/s", "sgemm Gflop/s", "to sgemm", "memory MB"]
    body = [[r["content"], r["threads"], count(r["users_per_second"]), cell(r["gigaflops"], 1), cell(r["sgemm_gigaflops"], 1),
             cell(r["to_sgemm"]), megabytes(r["memory_bytes"])] for r in rows]
    return (f"**Lists** of the {rows[0]['top']} best of {rows[0]['items']} items for {rows[0]['users']} users, k "
            f"{rows[0]['factors']}; *sgemm* is the product P Qᵀ alone by the same BLAS and threads, the flops those of the "
            f"product in both. Memory is what the call takes beside model and lists.\n\n{table_of(head, body)}")


def hosts(result):
    rows = result["hosts"]
    if isinstance(rows, dict):
        return f"**Hosts**: skipped, {rows['skipped']}."
    head = ["link", "µs", "merge", "epoch ms", "merge ms", "share", "MB an epoch", "link alone ms", "speed-up", "val RMSE"]
    body = [[r["rate"], r["delay_microseconds"], r["merge"], cell(1e3 * r["seconds"], 1), cell(1e3 * r["merge_seconds"], 1),
             cell(r["merge_share"]), cell(r["merge_bytes"] / 1e6, 3),
             cell(r["link_seconds"] and 1e3 * r["link_seconds"], 1), cell(r["speed_up"]), cell(r["val_rmse"], 5)] for r in rows]
    return ("**Hosts**: epochs on four hosts with one rank each (all on this machine's cores), k 32, four merges an epoch. "
            "*Allreduce* is the MPI library's, of all rows in float32; the others let each host merge a part of the rows and "
            "send them as said. The merge's time has waiting for other hosts in it; *link alone* is what the bytes take at the "
            f"link's rate; the speed-up is that of the epoch over allreduce.\n\n{table_of(head, body)}")


def plan(result):
    rows = result["plan"]
    head = ["data", "ranks × threads", "options", "told ms", "epoch ms", "told to taken", "told MB", "taken MB", "told to taken"]
    body = [[r["data"], f"{r['ranks']} × {r['threads']}", r["options"].replace(",", " "), cell(1e3 * r["told_seconds"], 1),
             cell(1e3 * r["seconds"], 1), cell(r["to_seconds"]), megabytes(r["told_bytes"]), megabytes(r["bytes"]),
             cell(r["to_bytes"])] for r in rows]
    return (f"**Plan**: what `blendmf train --plan` says against what training took then, of an epoch and of memory.\n\n"
            f"{table_of(head, body)}")


def checkpoint(result):
    rows = result["checkpoint"]
    head = ["ranks", "MB", "epoch ms", "checkpoint ms", "bare disk ms", "checkpoint to epoch", "checkpoint to disk"]
    body = [[r["ranks"], megabytes(r["bytes"]), cell(1e3 * r["epoch_seconds"], 1), cell(1e3 * r["checkpoint_seconds"], 1),
             cell(1e3 * r["disk_seconds"], 1), cell(r["to_epoch"]), cell(r["to_disk"])] for r in rows]
    return (f"**Checkpoints** after every epoch, k {rows[0]['factors']}: written, synced, read back, renamed. *Bare disk* is as "
            f"many bytes written to a new file and synced.\n\n{table_of(head, body)}")


def short(value):
    if isinstance(value, (int, float)):
        return count(value) if value >= 1000 else f"{value:.3g}"
    return "-" if value is None else str(value)


def large(result):
    found = result["large"]
    sizes = {r["data"]: r["ratings"] for r in found["sweep"]}
    head = ["threads", "main ns", "large ns", "ratio", "in L2", "to in-cache", "row ns", "row ns, small pages"]
    body = [[c["threads"], cell(c["main_nanoseconds"], 1), cell(c["large_nanoseconds"], 1), cell(c["ratio"]),
             " / ".join(f"{100 * s:.0f} %" for s in c["in_l2_share"]), pair(c["to_in_cache"]), pair(c["row_nanoseconds"], 1),
             pair(c["small_page_nanoseconds"], 1)] for c in found["cost"]]
    rows = [[r["data"].removesuffix(".h5"), r["rows"], r["pages"], megabytes(r["bytes"]),
             megabytes(r["huge_bytes"]) if r["huge_bytes"] >= 0 else "-", cell(r["read_nanoseconds"], 1),
             cell(r["read_gigabytes_per_second"], 1), cell(r["update_nanoseconds"], 1),
             cell(r["update_gigabytes_per_second"], 1)] for r in found["rows"]]
    return (f"**Large**: an update at k {found['factors']}, {sizes['large.h5']} ratings against {sizes['main.h5']}. *In L2* and "
            "what follows are main / large: the share of updates whose row L2 can hold; speed to the in-cache bound; fetching "
            "and storing a row of Q in the order of the ratings without arithmetic, on the pages that the program gets, and on "
            f"small ones (what address translation would cost).\n\n{table_of(head, body)}\n\n"
            "Rows of Q, one thread, fetched ahead: in the order of the ratings, at random among all, and at random among as "
            "many as fit into half of L2.\n\n"
            + table_of(["data", "rows", "pages", "Q MB", "in 2 MiB pages", "read ns", "read GB/s", "update ns", "update GB/s"], rows))


def pair(values, digits=2):
    return " / ".join(cell(v, digits) for v in values)


def table(part, result):
    return {"sweep": sweep, "epoch": epoch, "content": content, "memory": memory, "read": read, "topn": topn, "hosts": hosts, "plan": plan,
            "checkpoint": checkpoint, "large": large}[part](result) + "\n"


def warnings(result):
    """The last lines: on which machine, and what not to trust."""
    machine = result["machine"]
    text = f"{machine['processor']}, {machine['cores']} cores; medians of {result['rounds']} round(s), memory of one run."
    if result["warnings"]:
        text += "\n\nTo know (spread: distance of the quartiles relative to the median): " + "; ".join(
            result["warnings"]) + "."
    return text
