"""Which alerts are of one act."""

from agent.intent.model import Intent
from agent.relations import Relations
from tests.events import make_exec

SECOND_NS = 1_000_000_000


def asked(**members):
    """A client's alert."""
    intent = Intent(tool="docker", verb="run", **{"privileged": True, "mounts": ("/",), **members})
    return make_exec(id="client", intent=intent, time_ns=100 * SECOND_NS)


def given(after_s=1, **members):
    """A runtime's alert, some seconds later."""
    intent = Intent(tool="runc", verb="create", source="bundle", **{"privileged": True, "mounts": ("/",), **members})
    return make_exec(
        "/usr/sbin/runc", ("runc", "create"), id="runtime", intent=intent, time_ns=(100 + after_s) * SECOND_NS
    )


class TestRelate:
    def test_the_runtime_names_the_client(self):
        """A bundle with the powers that were asked for completes the request."""
        relations = Relations()
        assert () == relations.relate(asked())
        assert ("client",) == relations.relate(given())

    def test_one_common_power_is_enough(self):
        """What a daemon adds or leaves out does not matter."""
        relations = Relations()
        relations.relate(asked(privileged=False, mounts=("/etc",)))
        assert ("client",) == relations.relate(given(privileged=False, mounts=("/etc", "/var/lib/x")))

    def test_other_powers_are_another_act(self):
        """Two containers at a time are told apart by what they ask for."""
        relations = Relations()
        relations.relate(asked(privileged=False, mounts=("/etc",)))
        assert () == relations.relate(given(privileged=False, mounts=("/home",)))

    def test_another_image_is_another_act(self):
        """Where both sides name the image, it has to be the same."""
        relations = Relations()
        relations.relate(asked(image="alpine"))
        assert () == relations.relate(given(image="docker.io/library/nginx:latest"))
        assert ("client",) == relations.relate(given(image="docker.io/library/alpine:latest"))

    def test_long_ago_is_another_act(self):
        """Half a minute is the most that a pull may take."""
        relations = Relations()
        relations.relate(asked())
        assert () == relations.relate(given(after_s=31))

    def test_two_clients_are_two_acts(self):
        """Only a request and its execution belong together."""
        relations = Relations()
        relations.relate(asked())
        assert () == relations.relate(asked())
        assert () == Relations().relate(make_exec())
