"""The listening socket of the web server."""

import socket
from contextlib import closing

from services.request_desk.web.server import base_url_of, bind
from services.request_desk.web.settings import WebSettings


def test_an_answer_is_sent_at_once_and_not_held_back_for_its_second_half() -> None:
    with closing(bind(WebSettings(port=0))) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_the_address_is_that_of_the_settings_or_else_of_the_socket() -> None:
    settings = WebSettings(port=0)
    with closing(bind(settings)) as listening:
        assert base_url_of(settings, listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"
        behind = settings.model_copy(update={"base_url": "https://restore.example.org"})
        assert base_url_of(behind, listening) == "https://restore.example.org"
