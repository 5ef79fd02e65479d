"""Renders frames of a scene through a node: what hython runs for the jobtype."""

import sys

import hou

scene, path = sys.argv[1:3]
hou.hipFile.load(scene, ignore_load_warnings=True)
node = hou.node(path)
if node is None:
    sys.exit("Error: %s has no node %s" % (scene, path))
for frame in map(int, sys.argv[3:]):
    node.render(frame_range=(frame, frame), verbose=True, output_progress=True)
    if node.errors():
        sys.exit("Error: " + "; ".join(node.errors()))
    print("PyFarm: frame %d done" % frame)
    sys.stdout.flush()
