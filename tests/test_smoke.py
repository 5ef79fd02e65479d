def test_x(served, clone):
    assert served.get("/api/v1/jobtypes").status == 200
    U = "/api/v1"
    assert (
        served.request(
            "POST", U + "/software/", {"software": "/bin/touch", "versions": [{"version": "8.21"}]}
        ).status
        == 201
    )
    for p in [
        "/software//bin/touch/versions/8.21/",
        "/software//bin/touch/versions/8.21",
        "/software//bin/touch",
        "/software//bin/touch/",
        "/software//bin/touch/versions/",
        "/software//bin/touch/versions",
        "/software/blender/versions/2.69/code/",
        "/software/blender/versions/2.69/discovery_code",
        "/software/%2Fbin%2Ftouch/",
        "/software/",
        "/software",
        "/software/schema/",
    ]:
        a = served.get(U + p)
        assert a.status == 200, (p, a)


def test_y(worktree):
    worktree.write("a", "b")
    print(worktree.push())
