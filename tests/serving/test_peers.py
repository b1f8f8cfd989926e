"""What workers know of each other."""

import os

from algoport.serving.peers import Peers


def test_others_see_who_is_ready_and_who_has_more_connections():
    peers = Peers()
    peers.enter(1)
    assert not peers.is_ready() and not peers.anyone() and not peers.is_crowded()
    child = os.fork()
    if child == 0:
        peers.enter(2)
        peers.be_ready()
        peers.have(4)
        os._exit(0)
    os.waitpid(child, 0)

    assert peers.anyone() and not peers.is_ready()
    for connections, crowded in ((0, False), (4, False), (5, False), (6, True)):
        peers.have(connections)
        assert peers.is_crowded() == crowded

    peers.leave(2)

    assert not peers.anyone() and not peers.is_crowded()
    peers.be_ready()
    assert peers.is_ready() and not peers.is_crowded()


def test_a_worker_without_connections_makes_the_first_one_of_another_a_crowd():
    peers = Peers()
    peers.enter(2)
    peers.be_ready()
    peers.enter(3)
    peers.have(1)

    assert peers.is_crowded()
