"""Mount options: one name for one place of the host, and no name for what is not of the host."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.intent.mounts import (
    Around,
    Mount,
    normalise_path,
    parse_mount,
    parse_volume,
    read_volume_options,
)

WORK = Around(cwd="/work")
LINKS = Around(cwd="/work", resolve=lambda path: path.replace("/srv/link", "/etc", 1))


class TestNormalise:
    """`normalise_path`."""

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "//",
            "///",
            "/.",
            "/./",
            "/..",
            "/etc/..",
            "/a/b/../..",
            "..",
            "../",
            "../../../..",
            "/proc/1/root",
            "/proc/self/root/",
            "/proc/1/root/proc/self/root",
        ],
    )
    def test_root(self, path):
        """The root directory has one name."""
        assert "/" == normalise_path(path, WORK)

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/var/run/docker.sock", "/run/docker.sock"),
            ("/var/run/", "/run"),
            ("/var/running", "/var/running"),
            ("/proc/1/root/etc", "/etc"),
            ("/proc/1/rootfs", "/proc/1/rootfs"),
            (".", "/work"),
            ("./a//b/", "/work/a/b"),
            ("/srv/link/shadow", "/srv/link/shadow"),
        ],
    )
    def test_names(self, path, expected):
        """Doubled, dotted, relative and other names of a path are one."""
        assert expected == normalise_path(path, WORK)

    def test_links(self):
        """The caller's function follows symbolic links, and its answer is normalised again."""
        assert "/etc/shadow" == normalise_path("/srv/link/shadow", LINKS)
        assert "/" == normalise_path("x", Around(cwd="/", resolve=lambda _path: "/a/.."))

    def test_an_unknown_working_directory(self):
        """A relative path stays relative where nobody knows against what."""
        assert "a" == normalise_path("./a", Around())

    @settings(max_examples=100, deadline=None)
    @given(st.text(alphabet="/.a\0", max_size=24))
    def test_once_is_enough(self, path):
        """To normalise again changes nothing."""
        once = normalise_path(path, WORK)
        assert once == normalise_path(once, WORK)


class TestVolume:
    """`parse_volume`: -v."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("/:/h", Mount("/")),
            ("/:/h:ro", Mount("/", writable=False)),
            ("/:/h:z,ro", Mount("/", writable=False)),
            ("/:/h:rro,rprivate", Mount("/", writable=False)),
            ("/:/h:O", Mount("/", writable=False)),
            ("/:/h:rw,rshared", Mount("/")),
            (".:/h", Mount("/work")),
            ("../:/h", Mount("/")),
        ],
    )
    def test_host_paths(self, text, expected):
        """A source that is a path is of the host."""
        assert expected == parse_volume(text, WORK)

    @pytest.mark.parametrize("text", ["data:/data", "/data", "", ":", ":/x", "cache:/c:ro"])
    def test_volumes(self, text):
        """A name, or no source at all, is a volume of the engine."""
        assert parse_volume(text, WORK) is None


class TestMount:
    """`parse_mount`: --mount."""

    @pytest.mark.parametrize(
        "text",
        [
            "type=bind,src=/,dst=/h",
            "type=bind,source=/,target=/h",
            "TYPE=Bind,Source=//,destination=/h",
            "dst=/h,src=/,type=bind,bind-propagation=rslave",
            '"type=bind","src=/","dst=/h"',
            '"type=bind",src=/,dst=/h',
            "type=volume,dst=/h,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/",
            'type=volume,dst=/h,"volume-opt=o=bind,rw",volume-opt=type=none,volume-opt=device=/',
            "type=glob,src=/*,dst=/h",
            "type=bind,src=/proc/1/root,dst=/h",
            "type=bind,src=/,dst=/h,readonly=false",
        ],
    )
    def test_root(self, text):
        """Every spelling of a mount of the root directory is one."""
        assert (Mount("/"),) == parse_mount(text, WORK)

    @pytest.mark.parametrize("option", ["readonly", "ro", "ro=true", "readonly=1", "rw=false"])
    def test_read_only(self, option):
        """Read-only has five spellings."""
        assert (Mount("/etc", writable=False),) == parse_mount(f"type=bind,src=/etc,dst=/h,{option}", WORK)

    @pytest.mark.parametrize(
        "text",
        [
            "type=tmpfs,dst=/run",
            "type=volume,src=data,dst=/d",
            "src=data,dst=/d",
            "type=image,src=alpine,dst=/i",
            "type=cache,target=/root/.cache",
            "type=devpts,dst=/dev/pts",
            "",
        ],
    )
    def test_not_of_the_host(self, text):
        """Volumes, temporary file systems and images take nothing of the host."""
        assert () == parse_mount(text, WORK)

    def test_ctr(self):
        """ctr has its options behind colons and any type of file system."""
        read_only = parse_mount("type=bind,src=/,dst=/h,options=rbind:ro", WORK, kind="bind")
        assert (Mount("/", writable=False),) == read_only
        disk = parse_mount("type=ext4,src=/dev/sda1,dst=/h,options=rw", WORK, kind="bind")
        assert (Mount("/dev/sda1", device=True),) == disk
        layers = parse_mount("type=overlay,src=overlay,dst=/h,options=lowerdir=/:upperdir=/tmp/u", WORK, kind="bind")
        assert (Mount("/", writable=False), Mount("/tmp/u")) == layers

    def test_a_field_beyond_the_csv_module(self):
        """A field longer than the csv module takes is read all the same."""
        assert (Mount("/"),) == parse_mount(f"type=bind,src=/,x={'a' * 140_000}", WORK)


class TestVolumeOptions:
    """`read_volume_options`: docker volume create -o."""

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (("type=none", "o=bind", "device=/"), (Mount("/"),)),
            (("o=bind,ro", "device=/etc"), (Mount("/etc", writable=False),)),
            (("type=ext4", "device=/dev/sda1"), (Mount("/dev/sda1", device=True),)),
            (("type=none", "o=bind", "device=/dev"), (Mount("/dev"),)),
            (("type=overlay", "o=lowerdir=/,upperdir=/tmp/u"), (Mount("/", writable=False), Mount("/tmp/u"))),
            (("type=nfs", "o=addr=10.0.0.1,rw", "device=:/export"), ()),
            (("type=tmpfs", "device=tmpfs", "o=size=100m"), ()),
        ],
    )
    def test_device(self, options, expected):
        """What the volume is made of is given away like a bind mount."""
        assert expected == read_volume_options(options, WORK)
