"""What `videojob controller` calls itself."""

from __future__ import annotations

from videojob.cli.programs.controller import own_name


def test_a_container_that_is_started_again_in_its_pod_has_the_name_of_the_one_before() -> None:
    inside = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
    assert own_name(inside, "videojob-controller-5d9-abcde") == own_name(inside, "videojob-controller-5d9-abcde")
    assert own_name(inside, "videojob-controller-5d9-abcde") != own_name(inside, "videojob-controller-5d9-fghij")


def test_two_controllers_on_one_host_have_different_names() -> None:
    assert own_name({}, "laptop") != own_name({}, "laptop")
