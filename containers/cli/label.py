"""Labels by hand: `algoport label`."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError


def label(
    source: Annotated[Path, typer.Argument(help="A folder of pictures, a manifest, or a .txt with a text a line.")],
    task: Annotated[str, typer.Option(help="classify, boxes or text.", show_default=False)],
    classes: Annotated[list[str], typer.Option("--label", help="A class, in the order of its number. Repeat it.")],
    output: Annotated[Path, typer.Option(help="The folder of the answers, and of what is made of them.")] = Path(
        "labels"
    ),
    attribute: Annotated[str, typer.Option(help="What the manifest calls the label.")] = "label",
    port: Annotated[int, typer.Option(help="Of this machine, on which the page is.", min=1, max=65535)] = 8090,
    export: Annotated[
        list[str] | None, typer.Option(help="Write manifest, coco, voc or csv of what there is, and end. Repeat it.")
    ] = None,
) -> int:
    """Label pictures or texts by keys, on a page in the browser.

    Each answer is on the disk before the next item is shown; started again, it goes on where it was.
    """
    from algoport.containers.labels import exports
    from algoport.containers.labels.task import Task

    work = Task(source, task, classes, output, attribute)
    try:
        if not export:
            _serve(work, port)
        for form in export or ["manifest"]:
            print(f"{exports.export(work, form)}: {work.labeled} of {len(work.items)} labeled.")
    finally:
        work.close()
    return 0


def _serve(work: object, port: int) -> None:
    import threading

    from werkzeug.serving import WSGIRequestHandler, make_server

    from algoport.containers.endpoints.server import check_free
    from algoport.containers.labels.page import application
    from algoport.containers.labels.task import Task

    assert isinstance(work, Task)

    class Silent(WSGIRequestHandler):
        """No line a request: the ledger says what was done."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing."""

    check_free(port)
    try:
        server = make_server("127.0.0.1", port, application(work), threaded=True, request_handler=Silent)
    except (OSError, SystemExit):
        raise UserError(f"--port {port}: cannot be listened on. Choose another.") from None
    end = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        end.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        print(
            f"{work.labeled} of {len(work.items)} labeled. Open http://127.0.0.1:{port}/ in a browser; Ctrl-C ends.",
            flush=True,
        )
        while not end.wait(0.5):
            pass
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for number, handler in before.items():
            signal.signal(number, handler)
