"""``python -m facelab.course.alive FOLDER [NAME...]``: write the data of the interactive figures, all or some."""

import sys

from facelab.course.alive import figures, write

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("python -m facelab.course.alive FOLDER [NAME...]: name the folder, such as book/_static/alive")
    for name in sys.argv[2:] or figures():
        for path in write(sys.argv[1], name):
            print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
