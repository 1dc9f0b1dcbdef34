"""Signals: remembered, and their handlers put back."""

import os
import signal
import threading

import pytest

from zoo.training.signals import StopSignals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_signal_is_remembered_and_the_handler_put_back(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    signals = StopSignals()
    with signals.caught():
        assert signals.received is None
        os.kill(os.getpid(), number)
        assert signals.received == number
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == number  # the first one stands
    assert signal.getsignal(number) is before


def test_each_ctrl_c_is_answered(capfd):
    with StopSignals().caught(answers=True):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)  # nobody waits for words
    first, second = capfd.readouterr().err.splitlines()
    assert first == "Ctrl-C: stopping after this step or batch; what is done is saved"
    assert second.endswith(f"to end at once, unsaved: kill -9 {os.getpid()}") and len(second) < 80
    with StopSignals().caught():  # another rank's
        os.kill(os.getpid(), signal.SIGINT)
    assert capfd.readouterr().err == ""


def test_a_hangup_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals().caught() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not signals.any() and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_signals_go_elsewhere():
    received = []

    def work():
        with StopSignals().caught() as signals:
            received.append(signals.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert received == [None]
