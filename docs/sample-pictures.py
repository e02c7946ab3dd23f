"""Draws every picture of the sample publication from shapes, gradients and noise.

Needs Pillow and numpy. Run from the top of the repository:
    python docs/sample-pictures.py            # all pictures
    python docs/sample-pictures.py karoo      # those whose path contains "karoo"
The same versions of the libraries give the same pixels: all randomness is seeded.
"""

import math
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

W, H, S = 1600, 900, 2  # scenes use W x H units and are drawn S times larger, then reduced
CONTENT = Path("content")
LIMIT = 178_000  # bytes a picture may have

# One palette for the whole magazine.
CREAM, SAND, OCHRE, AMBER = "#f7ecd9", "#e6cfa6", "#e2a53c", "#c9782a"
CLAY, RUST, WINE, PLUM = "#c5623d", "#9c4228", "#7a2b33", "#472b40"
ROSE, BLUSH, LILAC, VIOLET = "#d99a88", "#f1cfc0", "#a592c8", "#6f5a9e"
SAGE, LEAF, FOREST, MINT = "#9fb296", "#5f8a5b", "#2d4a3d", "#d5e2d2"
SKY, SEA, TEAL, INK = "#c4dcdd", "#4f97a0", "#2b626c", "#22304a"
STONE, CHAR, WHITE = "#b9ad9c", "#2a2422", "#fffaf0"


def rgb(colour):
    """A colour given as "#rrggbb" or as an array, as floats from 0 to 1."""
    if isinstance(colour, str):
        return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)
    return np.asarray(colour, np.float32)


def mix(a, b, t):
    """The colour a fraction t of the way from a to b."""
    return rgb(a) * (1 - t) + rgb(b) * t


def fbm(w, h, scale, seed, octaves=4):
    """Smooth noise around 0, mostly within -1 to 1; scale is the largest grain in pixels."""
    rng = np.random.default_rng(seed)
    out, weight = np.zeros((h, w), np.float32), 1.0
    for octave in range(octaves):
        grain = max(2.0, scale / 2**octave)
        small = rng.normal(0, 0.5, (int(h / grain) + 3, int(w / grain) + 3)).astype(np.float32)
        box = (0.5, 0.5, 0.5 + w / grain, 0.5 + h / grain)
        out += weight * np.asarray(Image.fromarray(small).resize((w, h), Image.BICUBIC, box=box))
        weight *= 0.5
    return out


# ---------------------------------------------------------------- outlines, as lists of points


def turn(pts, degrees, cx, cy):
    """The points turned clockwise about a centre."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(cx + (x - cx) * c - (y - cy) * s, cy + (x - cx) * s + (y - cy) * c) for x, y in pts]


def ell(cx, cy, rx, ry=None, rot=0, start=0, end=360):
    ry = rx if ry is None else ry
    n = max(12, int(max(rx, ry) ** 0.5 * 9))
    angles = [math.radians(start + (end - start) * i / n) for i in range(n + (end - start < 360))]
    return turn([(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles], rot, cx, cy)


def rect(x0, y0, x1, y1, r=0, rot=0):
    r = min(r, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    if r <= 0:
        pts = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    else:
        corners = ((x1 - r, y0 + r, -90), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180))
        pts = [
            (cx + r * math.cos(math.radians(a + 9 * i)), cy + r * math.sin(math.radians(a + 9 * i)))
            for cx, cy, a in corners
            for i in range(11)
        ]
    return turn(pts, rot, (x0 + x1) / 2, (y0 + y1) / 2)


def smooth(pts, closed=True, steps=10):
    """A curve through the points (Catmull-Rom)."""
    p = [pts[-1], *pts, pts[0], pts[1]] if closed else [pts[0], *pts, pts[-1]]
    out = []
    for i in range(1, len(p) - 2):
        for k in range(steps):
            t = k / steps
            out.append(
                tuple(
                    0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
                    for a, b, c, d in zip(p[i - 1], p[i], p[i + 1], p[i + 2])
                )
            )
    return out if closed else out + [pts[-1]]


def blob(cx, cy, rx, ry, wobble, rng, n=9, rot=0):
    pts = []
    for i in range(n):
        k = 1 + rng.uniform(-wobble, wobble)
        a = 2 * math.pi * i / n
        pts.append((cx + rx * k * math.cos(a), cy + ry * k * math.sin(a)))
    return turn(smooth(pts, steps=6), rot, cx, cy)


def leaf(x, y, length, width, angle, bend=0.0, tip=1.0):
    """A leaf from its base at (x, y); angle 0 points right, -90 up."""
    n, left, right = 16, [], []
    for i in range(n + 1):
        t = i / n
        w = width / 2 * math.sin(math.pi * t**tip) ** 0.8 if 0 < t < 1 else 0
        along, off = length * t, bend * length * math.sin(math.pi * t)
        left.append((x + along, y + off - w))
        right.append((x + along, y + off + w))
    return turn(left + right[::-1], angle, x, y)


def band(pts, width, end=None):
    """A stroke along the points, from one width to another."""
    end = width if end is None else end
    left, right = [], []
    for i, (x, y) in enumerate(pts):
        (ax, ay), (bx, by) = pts[max(0, i - 1)], pts[min(len(pts) - 1, i + 1)]
        d = math.hypot(bx - ax, by - ay) or 1
        w = (width + (end - width) * i / max(1, len(pts) - 1)) / 2
        nx, ny = -(by - ay) / d * w, (bx - ax) / d * w
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]


def ridge(y, height, seed, step=20, flat=0.0, floor=H + 5):
    """A line of hills filled down to floor; flat above 0 cuts the tops into tables."""
    n = (W + 80) // step
    line = fbm(n, 1, n / 4, seed, 5)[0]
    if flat:
        line = np.clip(line, -1.2, flat)
    return [(-40 + i * step, y - height * float(v)) for i, v in enumerate(line)] + [(W + 40, floor), (-40, floor)]


# ---------------------------------------------------------------- the canvas


class Canvas:
    def __init__(self, top, bottom=None):
        t = np.linspace(0, 1, H * S, dtype=np.float32)[:, None, None]
        self.a = np.ones((H * S, W * S, 1), np.float32) * (rgb(top) * (1 - t) + rgb(bottom or top) * t)

    def put(self, pts, colour, to=None, angle=90, opacity=1.0, soft=0.0, volume=0.0, bevel=14, tex=None, clip=None, add=False):
        """Fills an outline: gradient, soft edge, light from the top left (volume), noise (scale, amount)."""
        p = np.asarray(pts, np.float32) * S
        pad = int((soft * 3 + (bevel * 2 if volume else 0) + 2) * S)
        lo, hi = p.min(0), p.max(0)
        x0, y0 = int(max(lo[0] - pad, -pad - 9)), int(max(lo[1] - pad, -pad - 9))
        x1, y1 = int(min(hi[0] + pad, W * S + pad)) + 1, int(min(hi[1] + pad, H * S + pad)) + 1
        cx0, cy0, cx1, cy1 = max(x0, 0), max(y0, 0), min(x1, W * S), min(y1, H * S)
        if cx0 >= cx1 or cy0 >= cy1:
            return
        img = Image.new("L", (x1 - x0, y1 - y0))
        ImageDraw.Draw(img).polygon([(float(x) - x0, float(y) - y0) for x, y in p], fill=255)
        if soft:
            img = img.filter(ImageFilter.GaussianBlur(soft * S))
        cut = (slice(cy0 - y0, cy1 - y0), slice(cx0 - x0, cx1 - x0))
        m = np.asarray(img, np.float32)[cut] / 255 * opacity
        if clip is not None:
            m = m * clip[cy0:cy1, cx0:cx1]
        paint = np.broadcast_to(rgb(colour), (*m.shape, 3))
        if to is not None:
            c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            gx = (np.arange(cx0, cx1) - (lo[0] + hi[0]) / 2)[None, :] * c
            gy = (np.arange(cy0, cy1) - (lo[1] + hi[1]) / 2)[:, None] * s
            reach = (abs((hi[0] - lo[0]) * c) + abs((hi[1] - lo[1]) * s)) or 1
            t = np.clip((gx + gy) / reach + 0.5, 0, 1).astype(np.float32)[..., None]
            paint = rgb(colour) * (1 - t) + rgb(to) * t
        if volume:
            d = max(1, int(bevel * S * 0.5))
            b = np.asarray(img.filter(ImageFilter.GaussianBlur(bevel * S * 0.6)), np.float32) / 255
            light = np.roll(b, (-d, -d), (0, 1)) - np.roll(b, (d, d), (0, 1))
            paint = paint + volume * light[cut][..., None]
        if tex:
            n = fbm(m.shape[1], m.shape[0], tex[0] * S, int(cx0 * 7 + cy0))
            paint = paint * (1 + tex[1] * n[..., None])
        view = self.a[cy0:cy1, cx0:cx1]
        m = m[..., None]
        view[:] = view + paint * m if add else view * (1 - m) + paint * m

    def shadow(self, pts, dx=14, dy=18, soft=16, opacity=0.35, colour=CHAR, **kw):
        """A soft shadow thrown by an outline."""
        self.put([(x + dx, y + dy) for x, y in pts], colour, soft=soft, opacity=opacity, **kw)

    def solid(self, pts, colour, shade=0.35, drop=(14, 18, 16), **kw):
        """An outline with a shadow under it."""
        self.shadow(pts, *drop, opacity=shade)
        self.put(pts, colour, **kw)

    def ball(self, x, y, r, colour, shade=0.35, **kw):
        """A round fruit or bead."""
        if shade:
            self.shadow(ell(x, y, r), r * 0.25, r * 0.32, r * 0.22, shade)
        self.put(ell(x, y, r), mix(colour, WHITE, 0.22), mix(colour, CHAR, 0.25), 55, **kw)
        self.put(ell(x - r * 0.32, y - r * 0.36, r * 0.26, r * 0.18, -40), WHITE, opacity=0.55, soft=r * 0.09)

    def glow(self, x, y, r, colour, opacity=0.6, add=True):
        self.put(ell(x, y, r * 0.5), colour, soft=r * 0.3, opacity=opacity, add=add)

    def mask(self, pts, soft=0):
        img = Image.new("L", (W * S, H * S))
        ImageDraw.Draw(img).polygon([(x * S, y * S) for x, y in pts], fill=255)
        if soft:
            img = img.filter(ImageFilter.GaussianBlur(soft * S))
        return np.asarray(img, np.float32) / 255

    def spread(self, field, colour, opacity=1.0):
        """Lays a colour over the whole picture, as strong as a field of 0 to 1 says."""
        m = (np.clip(field, 0, 1) * opacity)[..., None]
        self.a = self.a * (1 - m) + rgb(colour) * m

    def noise(self, scale, seed, octaves=4):
        return fbm(W * S, H * S, scale * S, seed, octaves)

    def image(self, grain=0.012, vignette=0.16, seed=1):
        """The finished picture, reduced, with a little paper grain and darker corners."""
        a = self.a
        if vignette:
            y, x = np.mgrid[-1 : 1 : H * S * 1j, -1 : 1 : W * S * 1j].astype(np.float32)
            a = a * (1 - vignette * np.clip((x * x + y * y - 0.5) / 1.5, 0, 1) ** 1.4)[..., None]
        img = Image.fromarray((np.clip(a, 0, 1) * 255 + 0.5).astype(np.uint8)).resize((W, H), Image.LANCZOS)
        if grain:
            noise = np.random.default_rng(seed).normal(0, grain * 255, (H, W, 1))
            img = Image.fromarray(np.clip(np.asarray(img, np.float32) + noise, 0, 255).astype(np.uint8))
        return img


def leafy(c, x, y, length, width, angle, colour, bend=0.0, shade=0.3, rib=True):
    """A leaf with volume and a midrib."""
    outline = leaf(x, y, length, width, angle, bend)
    if shade:
        c.shadow(outline, 8, 10, 7, shade)
    c.put(outline, mix(colour, WHITE, 0.08), mix(colour, CHAR, 0.18), 60, volume=0.16, bevel=6)
    if rib:
        spine = [(x + length * t, y + bend * length * math.sin(math.pi * t)) for t in (0.02, 0.25, 0.5, 0.75, 0.96)]
        c.put(band(turn(spine, angle, x, y), 3.2, 0.8), mix(colour, CREAM, 0.5), opacity=0.75)


def weave(c, amount=0.05, pitch=5.0):
    """The threads of a cloth over everything drawn so far."""
    y = np.sin(np.arange(H * S) * 2 * math.pi / (pitch * S))[:, None]
    x = np.sin(np.arange(W * S) * 2 * math.pi / (pitch * S))[None, :]
    c.a *= (1 + amount * (x * y + 0.6 * c.noise(60, 4)))[..., None].astype(np.float32)


def planks(c, y, colour, dark, count=5, seed=2):
    """A wooden table top seen from its front edge."""
    c.put(rect(-5, y, W + 5, H + 5), colour, dark, 90)
    streaks = np.asarray(Image.fromarray(fbm(60, H * S, 22, seed, 5)).resize((W * S, H * S), Image.BICUBIC))
    c.a[int(y * S) :] *= (1 + 0.09 * streaks[int(y * S) :])[..., None]
    for i in range(1, count):
        level = y + (H - y) * (i / count) ** 1.25
        c.put(rect(-5, level, W + 5, level + 2.5), CHAR, opacity=0.28)
    c.put(rect(-5, y, W + 5, y + 5), WHITE, opacity=0.25)


def sunlight(c, quads, colour=WHITE, opacity=0.28, soft=9):
    for quad in quads:
        c.put(quad, colour, opacity=opacity, soft=soft)


# ---------------------------------------------------------------- food


def bobotie():
    rng = random.Random(3)
    c = Canvas("#3a6970", "#28505a")
    weave(c, 0.06)
    napkin = rect(-120, 470, 380, 1000, 6, -14)
    c.solid(napkin, CREAM, tex=(120, 0.03))
    clip = c.mask(napkin)
    for i, colour in enumerate((CLAY, OCHRE, CLAY)):
        c.put(rect(60 + i * 62, 350, 92 + i * 62, 1100, 0, -14), colour, opacity=0.85, clip=clip)
    for side in (-1, 1):
        c.solid(ell(840 + side * 500, 455, 74, 92), "#e9e2d2", volume=0.22)
        c.put(ell(840 + side * 520, 455, 30, 46), "#2f5a63")
    c.solid(ell(840, 455, 520, 372), "#f3eddf", shade=0.5, drop=(26, 34, 30), volume=0.18, bevel=20)
    c.put(ell(840, 455, 500, 352), "#31587d")
    c.put(ell(840, 455, 490, 342), "#f6f0e2", "#d8cdb8", 60)
    custard = ell(846, 462, 452, 308)
    c.put(custard, "#c98a2b", soft=4)
    c.put(ell(846, 462, 444, 300), "#f0c053", "#dd9a30", 60, tex=(140, 0.06), volume=0.12, bevel=30)
    clip = c.mask(ell(846, 462, 440, 296), 10)
    browned = c.noise(120, 8, 5) * 0.9 + 0.35 * c.noise(22, 9)
    c.spread(np.clip(browned - 0.25, 0, 1) * clip, "#a4561c", 0.9)
    c.spread(np.clip(-browned - 0.45, 0, 1) * clip, "#fbe09a", 0.6)
    for i, (x, y, a) in enumerate(((560, 430, -24), (800, 300, 28), (930, 470, -18), (680, 590, 18), (1010, 640, -38), (1060, 330, 8))):
        leafy(c, x, y, 190, 62, a, ("#6d7a3c", "#7d8344", "#5d6f38")[i % 3], 0.08 * (-1) ** i, shade=0.4)
    for x, y, a in ((770, 480, 20), (905, 400, 70), (640, 505, -30), (1130, 500, 40), (860, 620, -60), (1000, 560, 10)):
        c.shadow(ell(x, y, 26, 14, a), 4, 6, 4, 0.4)
        c.put(ell(x, y, 26, 14, a), "#f3dcae", "#c89a58", 70, volume=0.2, bevel=5)
    c.solid(ell(1462, 190, 178), "#d9cdb8", volume=0.2, drop=(20, 26, 24), shade=0.45)
    c.put(ell(1462, 190, 154), "#a99a80")
    c.put(ell(1464, 194, 148), "#eec24a", "#d79a2a", 60, tex=(40, 0.1))
    for _ in range(420):
        r, a = 140 * rng.random() ** 0.5, rng.uniform(0, 2 * math.pi)
        x, y, spin = 1462 + r * math.cos(a), 190 + r * math.sin(a), rng.uniform(0, 180)
        c.put(ell(x + 2, y + 3, 13, 4.6, spin), "#a8741a", opacity=0.5)
        c.put(ell(x, y, 13, 4.6, spin), mix("#f5cf5c", "#fff0b8", rng.random()))
    for _ in range(9):
        c.ball(1462 + rng.uniform(-90, 90), 190 + rng.uniform(-90, 90), 11, PLUM)
    c.solid(ell(1440, 742, 118), "#34607f", volume=0.25, drop=(18, 24, 20), shade=0.45)
    c.put(ell(1440, 742, 98), "#203f56")
    c.put(ell(1442, 746, 93), "#b9541f", "#8c3318", 60, tex=(24, 0.12))
    for _ in range(46):
        r, a = 80 * rng.random() ** 0.5, rng.uniform(0, 2 * math.pi)
        c.put(blob(1442 + r * math.cos(a), 746 + r * math.sin(a), 17, 12, 0.25, rng), mix("#e08a35", "#a83d1b", rng.random()), volume=0.25, bevel=5)
    spoon = band([(70, 120), (250, 215), (330, 262)], 22, 18)
    c.solid(spoon, "#b98452", volume=0.2, bevel=7)
    c.solid(ell(352, 276, 70, 46, 28), "#c08c58", volume=0.25)
    c.put(ell(356, 279, 54, 33, 28), "#94653a", "#c79563", 60)
    for x, y, a in ((180, 330, 10), (395, 130, -40), (250, 90, 60)):
        c.shadow(ell(x, y, 26, 14, a), 5, 7, 5, 0.45)
        c.put(ell(x, y, 26, 14, a), "#f3dcae", "#c08e4c", 70, volume=0.2, bevel=5)
    leafy(c, 90, 420, 170, 58, -30, "#66753a", 0.06)
    return c.image()


def rooibos():
    rng = random.Random(5)
    c = Canvas("#f4e3c8", "#e8cca4")
    c.spread(c.noise(500, 3) * 0.5 + 0.2, "#f9efdf", 0.5)
    for i in range(2):
        for j in range(2):
            x, y = 150 + i * 190, 40 + j * 260
            sunlight(c, [[(x, y), (x + 165, y + 42), (x + 165, y + 276), (x, y + 234)]], "#fff6dc", 0.75, 5)
    planks(c, 640, "#a8623a", "#6d3a22")
    c.shadow(ell(580, 752, 290, 44), 60, 12, 22, 0.5)
    pot = smooth([(340, 560), (380, 430), (520, 372), (680, 400), (748, 530), (724, 680), (640, 752), (460, 752), (368, 690)])
    spout = smooth([(700, 620), (780, 562), (812, 462), (852, 434), (850, 476), (822, 602), (730, 714)])
    c.put(spout, "#2f6a72", "#1d4650", 60, volume=0.22)
    handle = band(smooth([(380, 470), (270, 450), (226, 560), (290, 660), (385, 664)], False), 34)
    c.put(handle, "#2c626b", "#1c424b", 80, volume=0.2, bevel=9)
    c.put(pot, "#3f828a", "#1c454e", 50, volume=0.22, bevel=34, tex=(12, 0.025))
    clip = c.mask(pot)
    c.put(rect(300, 566, 800, 592), CREAM, opacity=0.85, clip=clip)
    for i in range(14):
        c.put(ell(352 + i * 32, 622, 9), OCHRE, opacity=0.9, clip=clip)
    c.put(rect(300, 652, 800, 662), CREAM, opacity=0.85, clip=clip)
    c.put(ell(450, 470, 34, 70, 28), WHITE, opacity=0.4, soft=14)
    c.put(ell(545, 388, 128, 26), "#1c454e")
    c.put(smooth([(424, 384), (460, 344), (545, 328), (630, 344), (666, 386), (545, 404)]), "#47909a", "#23535c", 60, volume=0.2)
    c.ball(545, 316, 24, OCHRE, shade=0)
    c.put(ell(1040, 800, 230, 40), AMBER, soft=22, opacity=0.75)
    c.shadow(ell(985, 792, 150, 26), 40, 8, 16, 0.4)
    c.put(ell(985, 786, 190, 34), "#f3ead8", "#cdbd9f", 40, volume=0.15)
    c.put(ell(985, 780, 130, 20), "#c9b696")
    glass = smooth([(878, 470), (884, 620), (900, 740), (930, 778), (1040, 778), (1070, 740), (1086, 620), (1092, 470)], False)
    tea = smooth([(884, 520), (890, 630), (906, 736), (934, 768), (1036, 768), (1064, 736), (1080, 630), (1086, 520)], False)
    c.put(glass + ell(985, 470, 107, 20, 0, 0, -180), WHITE, opacity=0.3)
    c.put(tea, "#b5441a", "#7c1f12", 90, volume=0.2, bevel=26)
    clip = c.mask(tea)
    c.put(ell(1020, 660, 46, 90), "#f08a2c", opacity=0.7, soft=24, clip=clip)
    c.put(ell(985, 520, 101, 19), "#d9652a", "#a8381a", 30)
    c.put(ell(985, 520, 101, 19), WHITE, opacity=0.12)
    c.put(band([(905, 500), (912, 630), (924, 730)], 12, 5), WHITE, opacity=0.6, soft=3)
    c.put(band([(1072, 490), (1062, 640)], 5, 3), WHITE, opacity=0.5, soft=2)
    rim = ell(985, 470, 107, 20)
    c.put(band(rim + rim[:1], 3), WHITE, opacity=0.85)
    for i, x in enumerate((950, 1010)):
        path = smooth([(x, 440), (x + 34, 380), (x - 20, 300), (x + 30, 220), (x + 4, 130)], False)
        c.put(band(path, 34, 4), WHITE, opacity=0.5 - 0.1 * i, soft=14)
    for x, y, r, tilt in ((1190, 726, 78, -14), (1262, 748, 74, 16)):
        c.shadow(ell(x, y, r, r * 0.98), 22, 26, 16, 0.4)
        c.put(ell(x, y, r, r * 0.98), "#e0812a", "#bb5b1c", 50, volume=0.15)
        c.put(ell(x - 3, y - 3, r * 0.9), "#fbe3b4")
        for k in range(9):
            wedge = [(x - 3, y - 3)] + ell(x - 3, y - 3, r * 0.82, start=k * 40 + 4 + tilt, end=k * 40 + 36 + tilt)
            c.put(smooth(wedge[::3] + wedge[-1:], steps=4), "#f4a541", "#e8842b", 45, tex=(8, 0.08))
    bowl = ell(1420, 690, 136, 130, 0, 0, 180)
    c.shadow(ell(1420, 812, 100, 18), 34, 6, 14, 0.55)
    c.put(bowl, "#c98f5a", "#7d4a28", 40, volume=0.2, tex=(60, 0.08))
    c.put(ell(1420, 690, 136, 34), "#8a5530")
    heap = smooth([(1296, 690), (1350, 652), (1420, 628), (1490, 650), (1544, 690), (1420, 718)])
    c.put(heap, "#8f3a1e", "#6a2414", 60)
    clip = c.mask([(x, y - 60) for x, y in rect(1290, 690, 1550, 790)])
    for _ in range(420):
        x, y, a = 1420 + rng.gauss(0, 56), 676 + rng.gauss(0, 16), rng.uniform(0, math.pi)
        if abs(x - 1420) < 122 and y > 640 + abs(x - 1420) * 0.3:
            dx, dy = 16 * math.cos(a), 8 * math.sin(a)
            c.put(band([(x - dx, y - dy), (x + dx, y + dy)], 3.2, 2), mix("#d06a35", "#5f1e12", rng.random()), clip=clip)
    for _ in range(70):
        x, y, a = rng.uniform(1180, 1560), rng.uniform(836, 884), rng.uniform(0, math.pi)
        c.put(band([(x, y), (x + 17 * math.cos(a), y + 8 * math.sin(a))], 3, 2), mix("#c8602f", "#5f1e12", rng.random()))
    return c.image()


def braai():
    rng = random.Random(11)
    c = Canvas("#1c1210")
    heat = np.clip(c.noise(330, 2, 4) * 0.8 + 0.62, 0, 1)
    c.spread(heat, "#a3230c")
    c.spread(np.clip(heat * 1.7 - 0.8, 0, 1), "#f0641a")
    c.spread(np.clip(heat * 2.4 - 1.75, 0, 1), "#ffc25a")
    for i in range(330):
        x, y = (i % 22) * 78 + rng.uniform(-28, 28), (i // 22) * 64 + rng.uniform(-24, 24)
        coal = blob(x, y, rng.uniform(34, 52), rng.uniform(26, 40), 0.2, rng, 7, rng.uniform(0, 180))
        c.put(coal, mix("#3a302d", "#6d635e", rng.random() ** 2), "#1d1614", 70, soft=1.5, opacity=0.94, volume=0.16, bevel=8, tex=(14, 0.16))
    c.spread(np.clip(heat * 1.5 - 0.6, 0, 1), "#ff6a1c", 0.25)
    for y in range(28, H, 58):
        c.shadow(rect(-9, y, W + 9, y + 11), 6, 16, 8, 0.6)
        c.put(rect(-9, y, W + 9, y + 11), "#b9b3ab", "#57514c", 90, tex=(300, 0.08))
    for x in (36, 1552):
        c.put(rect(x, -9, x + 17, H + 9), "#c9c3ba", "#5d5752", 0)
    spiral = []
    for i in range(330):
        a = i / 330 * 2 * math.pi * 3.35
        r = 52 + a * 10.6
        spiral.append((430 + r * math.cos(a), 440 + r * math.sin(a) * 0.98))
    coil = band(spiral, 58)
    c.shadow(coil, 14, 22, 14, 0.6)
    for i in range(0, 327, 3):  # piece by piece, so that every turn of the coil has its own edge
        c.put(band(spiral[i : i + 5], 59), "#4d1c10")
    for i in range(0, 327, 3):
        c.put(band(spiral[i : i + 5], 51), "#8d3f22")
    for i in range(0, 327, 3):
        lit = [(x - 7, y - 9) for x, y in spiral[i : i + 5]]
        c.put(band(lit, 24), "#c06f3c", soft=5, opacity=0.35)
        c.put(band(lit, 7), "#f2b27a", soft=2.5, opacity=0.22)
    for k in range(9):
        y = 170 + k * 62
        for i in range(0, 330, 2):
            x, yy = spiral[i]
            if abs(yy - y) < 3.6:
                c.put(ell(x, yy, 22, 5, -12), "#2c0f08", opacity=0.22, soft=2)
    for row, y in enumerate((120, 252, 384)):
        tilt = (-3, 2, -2)[row]
        stick = rect(800, y - 6, 1530, y + 6, 4, tilt)
        c.solid(stick, "#d9b382", shade=0.5)
        for i in range(9):
            x = 868 + i * 63
            yy = y + (x - 1165) * math.tan(math.radians(tilt))
            kind = (i + row) % 4
            if kind in (0, 2):
                shape, colour = blob(x, yy, 36, 42, 0.08, rng, 8), ("#8b4526", "#7a3a20")[kind // 2]
            elif kind == 1:
                shape, colour = ell(x, yy, 25, 38), "#ef962c"
            else:
                shape, colour = rect(x - 20, yy - 40, x + 20, yy + 40, 14, rng.uniform(-8, 8)), ("#7fa24a", "#e9d6c3", "#b03a3f")[row]
            c.solid(shape, mix(colour, WHITE, 0.06), to=mix(colour, CHAR, 0.3), shade=0.5, drop=(8, 14, 9), volume=0.24, bevel=9, tex=(16, 0.08))
            if kind in (0, 2):
                for k in (-14, 8):
                    c.put(band([(x - 24, yy + k + 7), (x + 22, yy + k - 7)], 6, 4), "#2c120a", opacity=0.5, soft=1.5)
    for y, x0 in ((566, 850), (734, 900)):
        cob = smooth([(x0, y), (x0 + 50, y - 58), (x0 + 300, y - 66), (x0 + 500, y - 34), (x0 + 556, y), (x0 + 500, y + 34), (x0 + 300, y + 66), (x0 + 50, y + 58)])
        c.solid(cob, "#a86a14", shade=0.6, volume=0.2)
        clip = c.mask(cob)
        for r in range(-4, 5):
            for i in range(25):
                x, yy = x0 + 14 + i * 22.5 + (r % 2) * 11, y + r * 15.5
                burnt = rng.random() < 0.13
                c.put(rect(x - 10, yy - 7, x + 10, yy + 7, 6), mix("#7a3c10" if burnt else "#ffd45c", "#dd9420", abs(r) / 4.6), clip=clip, volume=0.2, bevel=3)
        for k, bend in ((-30, -0.2), (0, 0.04), (30, 0.2)):
            leafy(c, x0 + 14, y + k * 0.6, 190, 52, 180 - k, "#b9b36a", bend)
    for x in (150, 700, 1250):
        c.glow(x, 940, 620, "#ff5a14", 0.22)
    return c.image(0.014, 0.3)


def padkos():
    rng = random.Random(7)
    c = Canvas(CREAM)
    for i in range(0, W, 100):
        c.put(rect(i, -5, i + 50, H + 5), CLAY, opacity=0.55)
    for j in range(-20, H, 100):
        c.put(rect(-5, j, W + 5, j + 50), CLAY, opacity=0.55)
    weave(c, 0.05, 4)
    flask = rect(1120, 90, 1370, 700, 46, 12)
    c.solid(flask, "#4d97a0", to="#21525c", angle=10, shade=0.5, drop=(30, 36, 28), volume=0.12, bevel=30)
    c.put(turn(rect(1144, 240, 1180, 660, 18), 12, 1245, 395), WHITE, opacity=0.3, soft=10)
    cap = turn(rect(1156, 40, 1334, 210, 24), 12, 1245, 395)
    c.solid(cap, "#f4ecdd", to="#b9ac97", angle=10, volume=0.18, bevel=14)
    for k in range(5):
        c.put(turn(rect(1162, 176 + k * 7, 1328, 178 + k * 7), 12, 1245, 395), STONE)
    for y in (560, 600):
        c.put(turn(rect(1100, y, 1400, y + 20), 12, 1245, 395), CREAM, opacity=0.85, clip=c.mask(flask))
    c.solid(ell(1450, 730, 122), "#f2ead9", volume=0.25, shade=0.5)
    c.put(ell(1450, 730, 112), "#2f6a72")
    c.put(ell(1450, 730, 106), "#f2ead9")
    c.put(ell(1452, 732, 96), "#5a2c18", "#3a1a0e", 60)
    c.put(ell(1420, 700, 34, 18, -40), WHITE, opacity=0.25, soft=8)
    paper = rect(150, 110, 760, 560, 8, -9)
    c.solid(paper, "#e4cfa6", to="#d4b98a", shade=0.4, tex=(90, 0.05))
    for x, y, spin in ((340, 310, -9), (570, 352, -16)):
        loaf = turn(smooth([(x - 120, y + 140), (x - 122, y - 60), (x - 90, y - 140), (x, y - 124), (x + 90, y - 140), (x + 122, y - 60), (x + 120, y + 140), (x, y + 148)]), spin, x, y)
        c.solid(loaf, "#a8642c", shade=0.45, volume=0.2)
        inner = turn([(x + (px - x) * 0.9, y + (py - y) * 0.9) for px, py in turn(loaf, -spin, x, y)], spin, x, y)
        c.put(inner, "#f4dfb2", "#e7c78c", 60, tex=(10, 0.05))
        for k in range(-3, 4):
            c.put(band(turn([(x + k * 31, y - 108), (x + k * 31 + 5, y + 120)], spin, x, y), 8), "#8a4a1e", opacity=0.55, soft=2)
    for x, y in ((250, 720), (420, 770), (620, 690)):
        c.ball(x, y, 84, "#ee8a2a", tex=(7, 0.04))
        c.put(ell(x + 4, y - 6, 10, 7), FOREST)
    leafy(c, 622, 676, 120, 50, -35, LEAF)
    for x, y, a in ((860, 640, 24), (960, 520, -30)):
        egg = turn(smooth([(x - 90, y), (x - 40, y - 60), (x + 50, y - 52), (x + 84, y), (x + 50, y + 52), (x - 40, y + 60)]), a, x, y)
        c.solid(egg, "#fffaf0", to="#dccdb4", angle=55, shade=0.4, volume=0.12, bevel=20)
    c.solid(ell(880, 250, 118), "#f4ecdd", volume=0.2, shade=0.4)
    c.put(ell(882, 252, 100), "#d9cbb2")
    for _ in range(60):
        r, a = 82 * rng.random() ** 0.5, rng.uniform(0, 6.3)
        x, y = 880 + r * math.cos(a), 250 + r * math.sin(a)
        c.solid(blob(x, y, 25, 12, 0.2, rng, 7, rng.uniform(0, 180)), mix("#6d2a1c", "#a04a2a", rng.random()), shade=0.4, drop=(3, 5, 3), volume=0.25, bevel=5)
    return c.image()


# ---------------------------------------------------------------- beauty


def vesicle(c, x, y, r, colour, rng, soft=0.0, cargo=True):
    """A translucent sphere with a double wall and a little cargo."""
    c.put(ell(x, y, r * 1.08), colour, soft=r * 0.12 + soft, opacity=0.35)
    c.put(ell(x, y, r), mix(colour, WHITE, 0.55), mix(colour, WHITE, 0.1), 60, opacity=0.72, soft=soft)
    c.put(ell(x + r * 0.1, y + r * 0.12, r * 0.74), mix(colour, CREAM, 0.75), opacity=0.75, soft=r * 0.16 + soft)
    if cargo:
        for _ in range(10):
            a, d = rng.uniform(0, 6.3), r * 0.6 * rng.random() ** 0.5
            px, py = x + d * math.cos(a), y + d * math.sin(a)
            tone = rng.choice((TEAL, OCHRE, WINE, VIOLET))
            if rng.random() < 0.35:
                wave = [(px + k * r * 0.05, py + math.sin(k * 1.3) * r * 0.05) for k in range(-4, 5)]
                c.put(band(turn(smooth(wave, False, 4), rng.uniform(0, 180), px, py), r * 0.035), tone, opacity=0.8, soft=soft)
            else:
                c.put(ell(px, py, r * rng.uniform(0.045, 0.085)), tone, opacity=0.75, volume=0.2, bevel=3, soft=soft)
        beads = max(24, int(r * 0.5))
        for ring, size in ((0.985, 0.034), (0.9, 0.026)):
            for k in range(beads):
                a = 2 * math.pi * k / beads
                c.put(ell(x + r * ring * math.cos(a), y + r * ring * math.sin(a), r * size), mix(colour, WINE, 0.35 if ring > 0.95 else 0.1), opacity=0.85, volume=0.2, bevel=2)
    c.put(ell(x - r * 0.4, y - r * 0.45, r * 0.24, r * 0.13, -42), WHITE, opacity=0.8, soft=r * 0.06 + soft)


def exosomes():
    rng = random.Random(21)
    c = Canvas("#f8e6da", "#e2a695")
    c.spread(c.noise(620, 6, 3) * 0.6 + 0.2, "#f9d3b8", 0.7)
    c.glow(300, 80, 900, WHITE, 0.4, add=False)
    for _ in range(26):
        x, y, r = rng.uniform(0, W), rng.uniform(0, 640), rng.uniform(18, 70)
        c.put(ell(x, y, r), rng.choice((ROSE, WHITE, "#e9b89a", "#c98ba0")), opacity=0.28, soft=r * 0.16)
    for x, y, r, tone in ((180, 560, 74, "#c98ba0"), (1480, 520, 90, "#d88c6c"), (760, 96, 54, "#c98ba0"), (560, 640, 60, "#d88c6c")):
        vesicle(c, x, y, r, tone, rng, soft=7, cargo=False)
    for x, y, r, tone in ((470, 330, 176, "#cf7f7c"), (1120, 268, 148, "#d98a62"), (842, 508, 116, "#b67a9c"), (1352, 108, 66, "#b67a9c"), (186, 150, 82, "#d98a62"), (1290, 520, 70, "#cf7f7c")):
        vesicle(c, x, y, r, tone, rng)

    def skin(x, lift=0):
        return 770 + 34 * math.sin(x / 210 + 0.6) + 14 * math.sin(x / 83) - lift

    body = [(x, skin(x)) for x in range(-40, W + 60, 20)] + [(W + 60, H + 20), (-40, H + 20)]
    c.shadow(body, 0, -16, 22, 0.25, WINE)
    c.put(body, "#c77f70", "#8d4149", 90, tex=(120, 0.05))
    for row, (lift, size) in enumerate(((0, 15), (-62, 13))):
        for k in range(64):
            x = -10 + k * 26 + row * 9
            y = skin(x, lift)
            tail = [(x, y), (x + 4, y + (26 if row == 0 else -24))]
            c.put(band(tail, 5, 2), "#f0c3a8", opacity=0.8)
            c.put(ell(x, y, size), "#f3cdb2", "#cf8a70", 60, volume=0.25, bevel=5)
    for x in (330, 905, 1400):
        y = skin(x, -30)
        c.solid(ell(x, y - 8, 34, 54, 4), "#3f7f88", to="#235660", shade=0.3, volume=0.25)
    return c.image()


def sunscreen():
    c = Canvas("#f3d9a8")
    for r, colour in ((760, "#f1cf92"), (590, "#eec27a"), (440, "#ebb35e"), (300, "#e6a23f"), (190, "#f9e2a8")):
        c.put(ell(1130, 270, r), colour)
    for seed, y, height, colour, flat in ((4, 520, 60, "#dba071", 0.3), (9, 580, 70, "#c97c50", 0.5), (13, 640, 50, "#a9583a", 0.2)):
        c.put(ridge(y, height, seed, flat=flat), colour)
    for x in (90, 250, 1420, 1530):
        c.put(rect(x - 4, 585, x + 4, 660), "#6b3a2b")
        c.put(smooth([(x - 74, 590), (x - 40, 552), (x + 30, 548), (x + 78, 588), (x, 600)]), "#59503a")
    c.put(rect(-5, 660, W + 5, H + 5), "#f6ead3")
    c.put(rect(-5, 660, W + 5, 674), "#fff7e6")
    for shape in ([(446, 752), (620, 752), (470, 884), (150, 884)], ell(840, 800, 320, 60), ell(1300, 838, 200, 36)):
        c.put([(x - 70, y + 18) for x, y in shape], "#e0c69a")
    c.put(rect(352, 118, 574, 168, 4), "#e9dcc3")
    c.put([(352, 150), (574, 150), (546, 660), (380, 660)], "#fffaf0")
    c.put([(500, 150), (574, 150), (546, 660), (488, 660)], "#ece0ca")
    for i in range(13):
        c.put(rect(360 + i * 16.5, 122, 364 + i * 16.5, 146), "#cdbd9e")
    c.put(rect(376, 655, 550, 775, 12), TEAL)
    c.put(rect(492, 655, 550, 775, 12), "#1f4f58")
    c.put(rect(370, 480, 556, 500), CLAY)
    c.put(rect(374, 512, 553, 520), OCHRE)
    c.put(ell(450, 330, 46), OCHRE)
    for k in range(12):
        a = math.radians(k * 30)
        c.put(band([(450 + 60 * math.cos(a), 330 + 60 * math.sin(a)), (450 + 86 * math.cos(a), 330 + 86 * math.sin(a))], 9), OCHRE)
    for y, w in ((420, 96), (442, 64)):
        c.put(rect(450 - w / 2, y, 450 + w / 2, y + 9, 4), TEAL)
    c.put(ell(880, 770, 330, 76), "#d9a55c")
    c.put(ell(880, 758, 330, 70), "#ecc37e")
    c.put(smooth([(690, 750), (700, 640), (770, 572), (880, 556), (990, 572), (1060, 640), (1070, 750), (880, 792)]), "#ecc37e")
    c.put(smooth([(930, 560), (990, 574), (1058, 640), (1068, 748), (980, 776), (1000, 660)]), "#d9a55c")
    c.put(smooth([(690, 748), (692, 706), (780, 738), (880, 746), (980, 738), (1068, 706), (1070, 748), (980, 778), (880, 788), (780, 778)], True), CLAY)
    for i in range(9):
        x = 640 + i * 60
        c.put(band([(x, 812 - abs(4 - i) * 5), (x + 26, 816 - abs(4 - i) * 5)], 4), "#b98240")
    for x in (1240, 1400):
        c.put(ell(x, 812, 76, 60), INK)
        c.put(ell(x, 812, 62, 47), "#3d5577")
        c.put(band([(x - 34, 830), (x + 6, 782)], 12), "#6d86a6")
    c.put(rect(1300, 796, 1340, 812, 8), INK)
    c.put(band([(1466, 796), (1560, 770)], 13), INK)
    c.put(band([(1170, 796), (1120, 778)], 13), INK)
    return c.image(0, 0)


def dropper(c, x, y, spin, size=1.0):
    """An amber bottle with a dropper cap, lying down and seen from above."""

    def at(pts):
        return turn([(x + px * size, y + py * size) for px, py in pts], spin, x, y)

    body = at(rect(-170, -86, 150, 86, 30))
    c.shadow(body, 26, 32, 24, 0.45)
    c.put(at(rect(140, -36, 190, 36, 4)), "#7a3a12", "#4c210a", 90 + spin)
    c.put(body, "#b5651f", "#5e2a0c", 90 + spin, volume=0.14, bevel=26)
    c.put(at(rect(-150, -66, 130, -44, 10)), "#ffd9a0", opacity=0.6, soft=6)
    c.put(at(rect(-130, -58, 90, 78, 4)), "#f8efdc", "#e3d3b4", 90 + spin)
    c.put(at(ell(-20, -6, 26)), SAGE)
    c.put(at(leaf(-20, 14, 42, 22, -90)), FOREST)
    for k, w in ((38, 120), (54, 76)):
        c.put(at(rect(-20 - w / 2, k - 3, -20 + w / 2, k + 3)), FOREST, opacity=0.7)
    c.shadow(at(rect(180, -52, 262, 52, 8)), 18, 22, 14, 0.4)
    c.put(at(rect(180, -52, 262, 52, 8)), "#4a4440", "#1d1918", 90 + spin, volume=0.15)
    for k in range(7):
        c.put(at(rect(188 + k * 10, -52, 191 + k * 10, 52)), CHAR, opacity=0.5)
    c.put(at(smooth([(262, -32), (330, -40), (380, -24), (394, 0), (380, 24), (330, 40), (262, 32)])), "#5a5350", "#1d1918", 90 + spin, volume=0.2)


def botanicals():
    rng = random.Random(31)
    c = Canvas("#cfdccb", "#afc3ab")
    c.spread(c.noise(700, 5, 3) * 0.5 + 0.25, "#e4ecdd", 0.6)
    for k in range(9):
        outline = leaf(1010 + k * 44, -240, 860 + 50 * (k % 3), 92, 56 + k * 12, 0.06)
        c.put(outline, FOREST, opacity=0.2, soft=16)
    for i, (angle, length) in enumerate(((-64, 640), (-46, 700), (-28, 640), (-10, 560), (8, 420), (-84, 520))):
        base = (-60, 840)
        outline = leaf(*base, length, 130, angle, -0.05, 0.72)
        c.shadow(outline, 16, 22, 16, 0.4)
        green = mix("#5d8f7a", "#88ab80", i / 6)
        c.put(outline, mix(green, WHITE, 0.12), mix(green, CHAR, 0.25), angle + 90, volume=0.16, bevel=18)
        for j in range(1, 17):
            for side in (-1, 1):
                p = outline[j] if side < 0 else outline[-1 - j]
                c.put(leaf(*p, 17, 11, angle + side * 62, 0, 0.6), "#b5543f")
    for x, y, r, tone in ((560, 190, 74, "#d9c24a"), (700, 118, 62, "#c3bc4e"), (690, 250, 66, "#e2c75a")):
        c.ball(x, y, r, tone, tex=(26, 0.05))
        c.put(ell(x + 6, y - 2, 7, 5), "#6d5a2a")
    c.shadow(ell(556, 352, 74), 18, 22, 16, 0.4)
    c.put(ell(556, 352, 74), "#d8be48", "#a8902a", 60, volume=0.15)
    c.put(ell(553, 349, 66), "#faf3d6")
    c.put(ell(553, 349, 36, 32), "#8d6236", "#5c3a1c", 60, volume=0.25, tex=(10, 0.15))
    dropper(c, 850, 440, -16)
    dropper(c, 830, 715, 6, 0.8)
    for x, y, angle, n in ((1560, 880, -118, 13), (1400, 930, -100, 10)):
        stem = [(x + k * 34 * math.cos(math.radians(angle + k)), y + k * 34 * math.sin(math.radians(angle + k))) for k in range(n)]
        c.shadow(band(stem, 8, 3), 9, 12, 6, 0.3)
        c.put(band(stem, 8, 3), "#7a4a3a", "#8f6a4a")
        for k, (px, py) in enumerate(stem[1:]):
            for side in (-1, 1):
                leafy(c, px, py, 88 - k * 3, 32, angle + side * 52 + k, mix(FOREST, LEAF, rng.random()), 0.05 * side, 0.3)
    dish = ell(1430, 190, 150)
    c.solid(dish, "#f6efe2", to="#d6cab4", angle=60, volume=0.16, drop=(18, 24, 20))
    c.put(ell(1432, 193, 124), "#d0c2a8", "#efe5d2", 60)
    for _ in range(420):
        r, a, spin = 108 * rng.random() ** 0.6, rng.uniform(0, 6.3), rng.uniform(0, 3.14)
        px, py = 1432 + r * math.cos(a), 193 + r * math.sin(a)
        c.put(band([(px - 11 * math.cos(spin), py - 11 * math.sin(spin)), (px + 11 * math.cos(spin), py + 11 * math.sin(spin))], 3.4, 2), mix("#c76034", "#64200f", rng.random()))
    return c.image()


# ---------------------------------------------------------------- home


def spekboom():
    rng = random.Random(41)
    c = Canvas("#efe6d6", "#e2d3bb")
    c.spread(c.noise(500, 8) * 0.5 + 0.2, "#f8f1e4", 0.5)
    frame = rect(160, -60, 700, 690)
    arch = [(190, 690), *ell(430, 250, 240, 240, start=180, end=360), (670, 690)]
    outer = [(160, 690), *ell(430, 250, 270, 270, start=180, end=360), (700, 690)]
    c.shadow(outer, 10, 12, 14, 0.25)
    c.put(outer, "#fdf8ee", "#e9dcc6", 60)
    clip = c.mask(arch)
    c.put(frame, "#bcd9dc", "#f6e3c2", 90, clip=clip)
    c.put(ell(560, 250, 62), "#fff2cf", clip=clip, soft=3)
    for seed, y, height, colour in ((3, 430, 50, "#a9bdb4"), (6, 500, 60, "#86a08c"), (8, 580, 46, "#5f8068")):
        c.put(ridge(y, height, seed), colour, mix(colour, CREAM, 0.35), clip=clip)
    for x in (430,):
        c.put(rect(x - 6, 0, x + 6, 700), "#f7efdf", clip=clip)
    c.put(rect(180, 386, 680, 398), "#f7efdf", clip=clip)
    sunlight(c, [[(830, 120), (1220, 210), (1220, 640), (830, 640)], [(1260, 222), (1560, 290), (1560, 640), (1260, 640)]], "#fff6df", 0.5, 12)
    planks(c, 690, "#c79a68", "#8f6238", 4)
    c.shadow(ell(1010, 850, 220, 30), 70, 10, 20, 0.55)

    tips = []

    def branch(x, y, angle, length, width, depth):
        steps = [(x, y)]
        for _ in range(6):
            angle += rng.uniform(-9, 9)
            x, y = x + length / 6 * math.cos(math.radians(angle)), y + length / 6 * math.sin(math.radians(angle))
            steps.append((x, y))
        curve = smooth(steps, False, 4)
        c.put(band(curve, width, width * 0.62), "#a5523a", "#6d2f26", 0, volume=0.2, bevel=5)
        for k, (px, py) in enumerate(steps[1:]):
            tips.append((px, py, angle, depth))
        if depth:
            for turn_by in (-34, 4, 36) if depth > 1 else (-28, 26):
                branch(x, y, angle + turn_by + rng.uniform(-10, 10), length * rng.uniform(0.6, 0.8), width * 0.62, depth - 1)

    for angle, length in ((-128, 196), (-108, 220), (-88, 226), (-68, 220), (-46, 192)):
        branch(1010 + (angle + 90) * 1.1, 600, angle, length, 20, 2)
    rng.shuffle(tips)
    tips.sort(key=lambda tip: -tip[3])
    for px, py, angle, depth in tips:
        if depth == 2 and rng.random() < 0.7:
            continue
        for side in (-1, 1):
            r = rng.uniform(17, 27)
            a = math.radians(angle + side * rng.uniform(50, 100))
            x, y = px + r * math.cos(a), py + r * math.sin(a)
            green = mix("#4f8550", "#a9c56b", rng.random())
            oval = ell(x, y, r, r * 0.74, math.degrees(a))
            c.shadow(oval, 4, 7, 4, 0.28, FOREST)
            c.put(oval, mix(green, WHITE, 0.12), mix(green, FOREST, 0.4), 60, volume=0.14, bevel=6)
            c.put(ell(x - r * 0.25, y - r * 0.25, r * 0.3, r * 0.16, -40), WHITE, opacity=0.35, soft=2)
    pot = smooth([(850, 610), (1170, 610), (1150, 720), (1118, 840), (1010, 856), (902, 840), (870, 720)], True, 8)
    c.put([(850, 610), (1170, 610), (1120, 846), (1040, 856), (980, 856), (900, 846)], "#cf7048", "#8d4026", 20, volume=0.14, bevel=26, tex=(30, 0.035))
    c.put(rect(846, 630, 1174, 684), CHAR, opacity=0.3, soft=9, clip=c.mask(pot))
    c.put(rect(828, 576, 1192, 652, 12), "#d97e54", "#9c4a2c", 20, volume=0.16, bevel=12, tex=(30, 0.035))
    for k in range(9):
        c.put(smooth([(862 + k * 36, 762), (880 + k * 36, 734), (898 + k * 36, 762), (880 + k * 36, 752)]), CREAM, opacity=0.55, clip=c.mask([(866, 690), (1154, 690), (1136, 790), (884, 790)]))
    c.shadow(ell(430, 858, 130, 20), 40, 6, 14, 0.4)
    c.put(smooth([(330, 720), (480, 716), (540, 770), (520, 850), (340, 850), (310, 790)]), "#e9dfcb", "#a99c83", 30, volume=0.2, bevel=18)
    c.put(band(smooth([(520, 790), (620, 760), (676, 700)], False), 26, 13), "#e0d5bf", "#a99c83", 30, volume=0.2)
    c.put(band(smooth([(330, 740), (250, 720), (240, 800), (318, 830)], False), 16), "#d8ccb4", volume=0.2)
    c.put(ell(406, 722, 78, 15), "#7d725e")
    return c.image()


def pot_flat(c, x, y, w, h, colour):
    """A flat flowerpot standing on y."""
    dark = mix(colour, CHAR, 0.22)
    c.put([(x - w / 2, y - h), (x + w / 2, y - h), (x + w * 0.38, y), (x - w * 0.38, y)], colour)
    c.put([(x + w * 0.16, y - h), (x + w / 2, y - h), (x + w * 0.38, y), (x + w * 0.12, y)], dark)
    c.put(rect(x - w * 0.56, y - h - 16, x + w * 0.56, y - h + 16, 5), mix(colour, WHITE, 0.12))
    c.put(rect(x + w * 0.18, y - h - 16, x + w * 0.56, y - h + 16, 5), dark)


def balcony():
    rng = random.Random(52)
    c = Canvas("#f6cfa4")
    for y, colour in ((120, "#f4c092"), (240, "#f0ae84"), (350, "#e99a7a")):
        c.put(rect(-5, y, W + 5, H), colour)
    c.put(ell(1180, 330, 128), "#fbe6b8")
    for base, tone, window, seed in ((420, "#c98278", "#e0a08a", 3), (500, "#8d5a68", "#e9b27c", 4)):
        pick = random.Random(seed)
        x = -20
        while x < W:
            w, h = pick.randrange(80, 170, 10), pick.randrange(30, 220, 10)
            c.put(rect(x, base - h, x + w, H), tone)
            for wx in range(x + 14, x + w - 20, 28):
                for wy in range(base - h + 18, 640, 36):
                    if pick.random() < 0.42:
                        c.put(rect(wx, wy, wx + 12, wy + 18), window)
            x += w + pick.randrange(0, 20, 5)
    c.put(ridge(590, 26, 5, flat=0.2), "#54495a")
    for x in range(20, W, 64):
        c.put(rect(x, 470, x + 11, 800), INK)
    c.put(rect(-5, 448, W + 5, 476), "#31456a")
    c.put(rect(-5, 448, W + 5, 456), "#4a608a")
    c.put(rect(-5, 780, W + 5, H + 5), "#b4633f")
    for x in range(-40, W, 160):
        c.put(rect(x, 780, x + 5, H + 5), "#96502f")
    c.put(rect(-5, 838, W + 5, 843), "#96502f")
    c.put(rect(120, 620, 1000, 648, 4), "#e0b681")
    c.put(rect(120, 638, 1000, 648, 2), "#b98a56")
    for x in (170, 560, 930):
        c.put(rect(x, 648, x + 24, 812), "#b98a56")
        c.put(rect(x + 16, 648, x + 24, 812), "#94683c")

    def basil(x, y):
        for level in range(5):
            for k in (-2, -1, 0, 1, 2):
                px, py = x + k * (34 - level * 4), y - 18 - level * 34 - (2 - abs(k)) * 9
                c.put(leaf(px, py, 46, 36, -90 + k * 26), ("#3f7a4c", "#5c9a58", "#77b064")[(level + k) % 3])

    def rosemary(x, y):
        for k in range(-4, 5):
            stem = [(x + k * 9, y), (x + k * 20, y - 90), (x + k * 27, y - 200 + abs(k) * 15)]
            curve = smooth(stem, False, 9)
            c.put(band(curve, 4), "#5b6b4a")
            for i, (px, py) in enumerate(curve[2:]):
                for side in (-1, 1):
                    c.put(band([(px, py), (px + side * 15, py - 12)], 5, 2), "#6f9080" if i % 2 else "#3d6252")

    def chives(x, y):
        for k in range(-8, 9):
            stem = smooth([(x + k * 6, y), (x + k * 9, y - 110), (x + k * 15, y - 210 + (k * k) % 37)], False, 6)
            c.put(band(stem, 7, 3), "#4f8a4e" if k % 2 else "#79ad5e")
            if k % 4 == 0:
                c.put(ell(*stem[-1], 19), LILAC)
                c.put(ell(stem[-1][0] - 4, stem[-1][1] - 5, 11), "#c3b1de")

    def parsley(x, y):
        for k in range(60):
            a, d = rng.uniform(math.pi, 2 * math.pi), rng.uniform(20, 92)
            px, py = x + d * math.cos(a) * 1.05, y - 16 + d * math.sin(a) * 1.15
            for j in range(3):
                c.put(ell(px + 10 * math.cos(j * 2.1 + k), py + 10 * math.sin(j * 2.1 + k), 10), ("#3c7c3f", "#5fa050", "#86bd62")[k % 3])

    def chilli(x, y):
        c.put(band(smooth([(x, y), (x - 6, y - 80), (x, y - 180)], False), 9, 6), "#5d7a44")
        for k in range(34):
            a, d = rng.uniform(0, 6.28), 82 * rng.random() ** 0.5
            c.put(leaf(x + d * math.cos(a), y - 150 + d * math.sin(a) * 0.85, 42, 20, rng.uniform(20, 160)), ("#3f7446", "#558e50", "#2f5c3c")[k % 3])
        for k in range(9):
            px, py = x + (k * 47) % 150 - 74, y - 90 - (k * 61) % 120
            c.put(leaf(px, py, 50, 17, 80 + (k * 13) % 24, 0.1, 0.7), "#d1392d" if k % 3 else OCHRE)

    for draw, x, w, h, colour in ((basil, 230, 140, 96, CLAY), (chives, 420, 110, 84, "#3d7f88"), (rosemary, 640, 130, 104, CREAM), (parsley, 860, 150, 84, OCHRE)):
        draw(x, 620 - h)
        pot_flat(c, x, 620, w, h, colour)
    chilli(1180, 690)
    pot_flat(c, 1180, 850, 190, 150, "#7a2b33")
    c.put(smooth([(1340, 690), (1500, 690), (1512, 850), (1328, 850)], True, 3), TEAL)
    c.put(rect(1334, 686, 1506, 852, 16), TEAL)
    c.put(rect(1452, 686, 1506, 852, 16), "#1f4f58")
    c.put(band([(1336, 800), (1276, 740), (1240, 660)], 24, 16), "#3a7a84")
    c.put(turn(rect(1204, 640, 1272, 664, 4), -32, 1238, 652), "#3a7a84")
    c.put(band(smooth([(1366, 690), (1380, 610), (1470, 606), (1488, 690)], False), 15), "#3a7a84")
    c.put(band(smooth([(1500, 720), (1566, 730), (1560, 810), (1502, 826)], False), 15), "#1f4f58")
    pot_flat(c, 380, 850, 120, 96, "#d98a62")
    for k in range(-5, 6):
        c.put(leaf(380, 750, 130 - abs(k) * 6, 26, -90 + k * 15, 0.05 * (k > 0) - 0.02), SAGE if k % 2 else "#7d9a80")
    pot_flat(c, 760, 856, 150, 110, "#31456a")
    for k in range(40):
        a, d = rng.uniform(math.pi, 2 * math.pi), rng.uniform(10, 86)
        c.put(ell(760 + d * math.cos(a) * 1.2, 748 + d * math.sin(a), 12, 9), ("#8fb07a", "#6f9a64", "#a9c48a")[k % 3])
    return c.image(0, 0)


def stoep():
    c = Canvas("#f3c98e", "#f9e8c4")
    c.put(rect(-5, -5, W + 5, 520), "#e9a873", "#fbe9c2", 90)
    c.glow(1010, 395, 560, "#ffe2a0", 0.16)
    c.put(ell(1010, 395, 66), "#fff6da", soft=2)
    for seed, y, height, colour in ((17, 440, 70, "#d5a48c"), (12, 490, 62, "#b08a7e"), (5, 540, 44, "#7f7a66"), (8, 592, 24, "#59663f")):
        c.put(ridge(y, height, seed), colour, mix(colour, "#f7d9a4", 0.4), 90)
    for k in range(26):
        x = 20 + k * 63 + (k * 37) % 30
        c.put(ell(x, 610 - (k * 13) % 22, 40, 30 + (k * 7) % 18), mix("#4c5a34", "#7b8446", (k * 31 % 10) / 10), volume=0.12)
    c.put(rect(-5, 640, W + 5, H + 5), "#a8402c", "#6d2219", 90)
    for k in range(-14, 15):
        c.put(band([(1010 + k * 74, 640), (1010 + k * 260, 960)], 2, 5), "#571a14", opacity=0.5)
    for k, y in enumerate((640, 668, 708, 764, 838)):
        c.put(rect(-5, y, W + 5, y + 2 + k), "#571a14", opacity=0.5)
    c.put([(930, 640), (1090, 640), (1230, 905), (800, 905)], "#ffd9a0", opacity=0.4, soft=34)
    c.put(rect(-5, 618, W + 5, 646), "#efe2cb", "#c9b592", 90)
    for x in range(-20, W, 46):
        if not 700 < x < 1290:
            c.put(smooth([(x + 8, 618), (x + 30, 618), (x + 24, 590), (x + 33, 566), (x + 22, 528), (x + 16, 528), (x + 5, 566), (x + 14, 590)]), "#f4e9d6", "#cbb694", 0, volume=0.15, bevel=4)
    for a, b in ((-20, 700), (1290, W + 20)):
        c.put(rect(a, 506, b, 530, 4), "#f7eddb", "#cdb894", 90)
    for x in (90, 690, 1286, 1560):
        c.shadow([(x, 640), (x + 44, 640), (x + (x - 1010) * 0.4 + 60, 920), (x + (x - 1010) * 0.4, 920)], 0, 0, 16, 0.35)
        c.put(rect(x, 110, x + 44, 640), "#fbf3e4", "#c4ad88", 0)
        c.put(rect(x - 12, 596, x + 56, 650, 4), "#f4e9d6", "#b8a07c", 0)
        c.put(rect(x - 10, 190, x + 54, 212, 4), "#f4e9d6", "#b8a07c", 0)
    c.put(rect(-5, -5, W + 5, 96), "#5a7f6d", "#35564a", 90)
    for x in range(-10, W, 34):
        c.put(rect(x, -5, x + 15, 96), "#2c493e", opacity=0.35, soft=3)
    c.put(rect(-5, 92, W + 5, 122), "#f7eddb", "#cdb894", 90)
    for x in range(-20, W + 20, 58):
        lace = smooth([(x, 120), (x + 58, 120), (x + 54, 146), (x + 40, 158), (x + 29, 186), (x + 18, 158), (x + 4, 146)])
        c.put(lace, "#f4e7d0", "#d3bd98", 90)
        c.put(ell(x + 29, 142, 8), "#e2a873")
    for x, tone in ((250, "#f4e9d6"), (560, "#f4e9d6")):
        side = 1 if x < 400 else -1
        c.shadow(ell(x + 20, 858, 130, 18), 0, 0, 16, 0.5)
        for lx in (-88, 88):
            c.put(band([(x + lx, 640), (x + lx * 1.06, 860)], 16, 12), "#5a3019", "#3a1d0e", 0, volume=0.15, bevel=4)
        c.put(band([(x - side * 92, 470), (x - side * 88, 720)], 16), "#6d3c20", "#3a1d0e", 0, volume=0.15, bevel=4)
        c.put(band([(x + side * 60, 480), (x + side * 84, 700)], 14), "#6d3c20", "#3a1d0e", 0, volume=0.15, bevel=4)
        back = [(x - side * 92, 480), (x + side * 62, 490), (x + side * 80, 690), (x - side * 88, 690)]
        c.put(back, "#d9b987", "#a77e4c", 90)
        clip = c.mask(back)
        for k in range(12):
            c.put(band([(x - 100 + k * 18, 470), (x - 100 + k * 18, 700)], 3), "#8a6238", opacity=0.6, clip=clip)
            c.put(band([(x - 110, 486 + k * 18), (x + 110, 486 + k * 18)], 3), "#8a6238", opacity=0.6, clip=clip)
        c.put(rect(x - 108, 696, x + 108, 728, 12), CLAY if side > 0 else TEAL, mix(CLAY if side > 0 else TEAL, CHAR, 0.4), 90, volume=0.15)
        c.put(rect(x - 106, 728, x + 106, 742, 4), "#4f2913")
        c.put(rect(x - 112, 610, x - 84, 626, 6), "#7a4728")
        c.put(rect(x + 84, 610, x + 112, 626, 6), "#7a4728")
    c.shadow(ell(406, 852, 80, 14), 0, 0, 12, 0.5)
    c.put(rect(398, 690, 414, 852), "#5a3019", "#3a1d0e", 0)
    c.put(ell(406, 690, 76, 17), "#8a5530", "#5a3019", 0)
    c.put(rect(350, 636, 394, 688, 8), "#f7efdf", "#c9b592", 0, volume=0.15)
    c.put(rect(418, 620, 470, 688, 14), "#47858e", "#234f58", 0, volume=0.15)
    for x, h, tone in ((1400, 150, CLAY), (1510, 110, "#3d7f88")):
        c.shadow(ell(x, 850, 84, 16), -20, 0, 14, 0.5)
        for k in range(-6, 7):
            c.put(leaf(x, 850 - h + 8, 210 - abs(k) * 9, 40, -90 + k * 15, 0.06 * (1 if k > 0 else -1)), mix("#3f6b45", "#88a860", (k * 5 % 7) / 7), "#2d4a35", 90, volume=0.08)
        c.put([(x - 70, 850 - h), (x + 70, 850 - h), (x + 50, 852), (x - 50, 852)], tone, mix(tone, CHAR, 0.45), 0, volume=0.12, bevel=18)
        c.put(rect(x - 78, 838 - h, x + 78, 866 - h, 6), mix(tone, WHITE, 0.1), mix(tone, CHAR, 0.4), 0)
    c.glow(1010, 395, 900, "#ffca7a", 0.07)
    return c.image()


# ---------------------------------------------------------------- travel


def karoo():
    rng = random.Random(63)
    c = Canvas(INK)
    for y0, y1, a, b in ((-5, 330, "#161f3d", "#3f3f6e"), (330, 480, "#3f3f6e", "#b0708a"), (480, 600, "#b0708a", "#f0a868"), (600, 660, "#f0a868", "#fbd690")):
        c.put(rect(-5, y0, W + 5, y1 + 1), a, b, 90)
    y, x = np.mgrid[0 : H * S, 0 : W * S].astype(np.float32) / S
    across = (y - 40 - (x - 200) * 0.28) / 95
    veil = np.exp(-(across**2)) * np.clip(1 - y / 420, 0, 1) * (0.6 + 0.5 * c.noise(110, 5, 5))
    c.spread(veil, "#c9b8dc", 0.4)
    c.spread(np.clip(veil * (c.noise(46, 9, 4) + 0.1), 0, 1), "#141b36", 0.55)
    for _ in range(900):
        sx, sy = rng.uniform(0, W), 470 * rng.random() ** 1.6
        near = abs(sy - 40 - (sx - 200) * 0.28) < 110
        if near or rng.random() < 0.55:
            c.put(ell(sx, sy, rng.choice((0.8, 1, 1.2, 1.7))), "#fff6e2", opacity=rng.uniform(0.35, 1) * (1 - sy / 560))
    for sx, sy in ((1180, 96), (1250, 190), (1330, 130), (1290, 60)):
        c.glow(sx, sy, 26, "#dfe6ff", 0.4)
        c.put(ell(sx, sy, 2.8), WHITE)
    for seed, base, height, colour, flat in ((31, 600, 110, "#a8687c", 0.15), (35, 622, 130, "#7d4d68", 0.1), (42, 650, 90, "#553655", 0.3)):
        c.put(ridge(base, height, seed, 8, flat, 760), colour, mix(colour, "#eaa070", 0.3), 90)
    c.put(rect(-5, 660, W + 5, H + 5), "#6a4a48", "#2a1f2b", 90, tex=(90, 0.12))
    road = [(760, 662), (778, 662), (1010, 910), (420, 910)]
    c.put(road, "#c08a6c", "#7d5a58", 90, soft=2, tex=(30, 0.06))
    c.put([(767, 662), (770, 662), (730, 910), (690, 910)], "#8d6456", opacity=0.5, soft=3)
    for _ in range(700):
        t = rng.random() ** 0.6
        by = 672 + 225 * t
        bx = rng.uniform(-20, W + 20)
        centre = 769 + (715 - 769) * t
        if abs(bx - centre) < 20 + 310 * t:
            continue
        r = 3 + 21 * t * rng.uniform(0.5, 1)
        c.put(blob(bx, by, r * 1.5, r * 0.8, 0.25, rng, 7), mix("#4d4a45", "#2a2a30", rng.random()), mix("#201a25", "#3a2c30", rng.random()), 90)
    px, base = 1240, 790
    for side in (-1, 1):
        c.put(band([(px + side * 62, base), (px + side * 7, 380)], 9, 6), "#17131f")
    for k in range(6):
        y0, y1 = base - k * 68, base - (k + 1) * 68
        w0, w1 = 62 - k * 9.2, 62 - (k + 1) * 9.2
        c.put(band([(px - w0, y0), (px + w1, y1)], 3.5), "#17131f")
        c.put(band([(px + w0, y0), (px - w1, y1)], 3.5), "#17131f")
        c.put(band([(px - w1, y1), (px + w1, y1)], 4), "#17131f")
    for k in range(16):
        a0 = k * 22.5
        blade = [(px + r * math.cos(math.radians(a0 + d)), 366 + r * math.sin(math.radians(a0 + d))) for r, d in ((34, -4), (112, -7), (112, 7), (34, 6))]
        c.put(blade, "#1d1826", mix("#1d1826", ROSE, 0.25), 40)
    hub = ell(px, 366, 78)
    c.put(band(hub + hub[:1], 4), "#17131f")
    c.put(ell(px, 366, 13), "#17131f")
    c.put([(px + 10, 360), (px + 150, 340), (px + 206, 318), (px + 206, 400), (px + 150, 384), (px + 10, 372)], "#1d1826")
    c.put(rect(1330, 748, 1520, 812, 6), "#241c2b", "#3d2c3c", 90)
    c.put(ell(1425, 750, 95, 13), "#e09a72", "#8a5a72", 0)
    c.put(rect(250, 704, 340, 744), "#2a2030")
    c.put([(238, 706), (295, 664), (352, 706)], "#1d1622")
    c.put(rect(284, 714, 302, 732), "#ffca6a")
    c.glow(293, 722, 60, "#ffb84a", 0.5)
    return c.image(0.012, 0.2)


def daisy(c, x, y, r, colour, heart, rng, squash=0.62):
    n = 13
    spin = rng.uniform(0, 360)
    c.shadow(ell(x, y, r * 0.8, r * 0.8 * squash), r * 0.2, r * 0.3, r * 0.22, 0.3, FOREST)
    for k in range(n):
        petal = leaf(0, 0, r, r * 0.42, 360 / n * k + spin, 0, 1.6)
        tone = mix(colour, WHITE if k % 3 == 0 else CHAR, 0.1 if k % 3 else 0.16)
        c.put([(x + px, y + py * squash) for px, py in petal], tone)
    c.put(ell(x, y, r * 0.3, r * 0.3 * squash), heart, mix(heart, CHAR, 0.4), 60, tex=(4, 0.2))


def flowers():
    rng = random.Random(71)
    c = Canvas("#8fc0cf", "#e9eedd")
    c.spread(np.clip(c.noise(420, 14, 5) * 0.9 - 0.05, 0, 1), WHITE, 0.75)
    for seed, y, height, colour in ((13, 300, 44, "#a8bcc4"), (23, 340, 40, "#88a39c")):
        c.put(ridge(y, height, seed), colour, mix(colour, CREAM, 0.3), 90)
    c.put([(-5, 330), (560, 338), (860, 352), (-5, 354)], "#6fa6b4", "#a9d0d2", 90)
    c.put(rect(-5, 350, W + 5, H + 5), "#8d9c4e", "#48662f", 90, tex=(80, 0.12))
    for x, y, rx, ry in ((1230, 330, 180, 100), (1400, 346, 150, 84), (1080, 356, 92, 52), (1526, 360, 110, 60)):
        c.shadow(ell(x, y + ry * 0.6, rx, ry * 0.3), 30, 12, 14, 0.4, FOREST)
        c.put(blob(x, y, rx, ry, 0.1, rng, 9), "#e3cdb0", "#8d7c72", 65, volume=0.2, bevel=26, tex=(34, 0.1))
    kinds = ((CLAY, CHAR), ("#ef8f2f", "#5a2c18"), ("#fdf6ea", OCHRE), ("#f2bf3c", "#7a4a1c"), ("#b9799c", OCHRE))
    drift = fbm(160, 90, 40, 5, 3)
    far = []
    for _ in range(5200):
        t = rng.random() ** 1.25
        far.append((rng.uniform(-20, W + 20), 356 + 330 * t, t))
    for x, y, t in sorted(far, key=lambda p: p[1]):
        if y < 396 and x > 960:  # the boulders stand here
            continue
        v = drift[int(y / 10) % 90, int(x / 10) % 160] + rng.uniform(-0.25, 0.25)
        colour, heart = kinds[1 if v > 0.35 else 0 if v > 0.05 else 2 if v > -0.35 else 3]
        if rng.random() < 0.05:
            colour, heart = kinds[4]
        r = 2 + 10 * t
        c.put(ell(x, y, r, r * 0.5), mix(colour, WHITE, 0.25 * (1 - t)))
        if r > 6:
            c.put(ell(x, y, r * 0.32, r * 0.18), heart)
        elif rng.random() < 0.2:
            c.put(ell(x, y + r, r, r * 0.5), "#5d7a3a", opacity=0.7)
    near = [(rng.uniform(-40, W + 40), 610 + 320 * rng.random()) for _ in range(190)]
    for x, y in sorted(near, key=lambda p: p[1]):
        t = (y - 610) / 320
        for _ in range(5):
            gx = x + rng.uniform(-70, 70)
            c.put(leaf(gx, y + 60 + 40 * t, 60 + 50 * t, 9 + 7 * t, -90 + rng.uniform(-28, 28), 0.08), mix("#3f6330", "#8da04c", rng.random()))
        v = drift[int(y / 10) % 90, int(x / 10) % 160 if 0 <= x < W else 0] + rng.uniform(-0.5, 0.5)
        colour, heart = kinds[1 if v > 0.25 else 0 if v > -0.1 else 2 if v > -0.6 else 4]
        daisy(c, x, y, 22 + 56 * t, colour, heart, rng)
    return c.image(0.0)


def tidal_pool():
    rng = random.Random(83)
    c = Canvas("#2f7f8d", "#1f5f74")
    ripple = c.noise(90, 3, 5)
    c.spread(np.clip(ripple * 0.5 + 0.15, 0, 1), "#5fb0b3", 0.5)
    y, x = np.mgrid[0 : H * S, 0 : W * S].astype(np.float32) / S
    bend = c.noise(330, 12, 4)
    for k, centre in enumerate((40, 205, 380)):
        d = y - centre - 60 * bend - 0.06 * (x - 800) + 26 * np.sin(x / 190 + k)
        froth = 0.75 + 0.55 * c.noise(30, 30 + k, 4)
        crest = np.exp(-((d / 9) ** 2)) + np.exp(-((np.clip(d, -400, 0) / 46) ** 2)) * (d < 0) * np.clip(froth - 0.25, 0, 1)
        c.spread(np.clip(crest * froth, 0, 1), WHITE, 0.85 if k else 0.5)
    sand = smooth([(-80, 690), (180, 724), (420, 800), (640, 850), (900, 870), (1180, 880), (1680, 960), (1680, 1040), (-80, 1040)])
    outer = smooth([(300, 380), (560, 300), (900, 290), (1210, 340), (1370, 470), (1370, 640), (1240, 780), (1000, 850), (640, 850), (360, 760), (250, 600), (240, 470)])
    water = smooth([(330, 410), (570, 334), (900, 324), (1190, 370), (1334, 486), (1334, 630), (1216, 752), (990, 818), (650, 818), (390, 732), (286, 590), (278, 484)])
    c.shadow(outer, 16, 18, 18, 0.4, INK)
    c.put(outer, "#efe5d0", "#c3b399", 60, tex=(40, 0.06), volume=0.1, bevel=8)
    c.put(water, "#57b9b4", "#a5e0cf", 70)
    clip = c.mask(water)
    c.spread(np.clip(c.noise(260, 41, 3) * 0.7, 0, 1) * clip, "#2f8d95", 0.6)
    lines = np.abs(c.noise(60, 43, 3))
    c.spread(np.clip(1 - lines * 9, 0, 1) * clip, WHITE, 0.35)
    c.put([(px + 16, py + 20) for px, py in band(water + water[:1], 26)], INK, opacity=0.28, soft=9, clip=clip)
    c.shadow(sand, 0, -12, 14, 0.25, INK)
    c.put(sand, "#f1dcb4", "#dcbc86", 90, tex=(60, 0.05))
    rocks = ((90, 400, 120), (30, 540, 130), (170, 610, 90), (210, 300, 74), (1480, 560, 110), (1560, 680, 130), (1430, 740, 92), (1540, 830, 120), (1380, 860, 74), (60, 250, 80), (1500, 420, 60), (130, 500, 70))
    for px, py, rx in rocks:
        c.put(blob(px, py, rx * 1.16, rx * 0.9, 0.2, rng, 11), WHITE, opacity=0.6, soft=9)
    for px, py, rx in rocks:
        rock = blob(px, py, rx, rx * 0.74, 0.2, rng, 9, rng.uniform(0, 180))
        c.solid(rock, "#8d8078", to="#453c3e", angle=60, volume=0.26, bevel=16, tex=(24, 0.16), shade=0.5)
    for px, py, spin, cap in ((640, 470, 20, CLAY), (820, 560, 12, OCHRE), (1060, 500, -28, WHITE), (520, 620, -50, PLUM), (1130, 670, 40, CLAY)):
        c.put(ell(px, py, 74, 46, spin), WHITE, opacity=0.28, soft=9)
        at = lambda pts: turn([(px + a, py + b) for a, b in pts], spin, px, py)  # noqa: E731
        c.put(at([(a + 10, b + 14) for a, b in ell(0, 0, 40, 15)]), INK, opacity=0.28, soft=5)
        for k in (-1, 1):
            c.put(at(band(smooth([(14, k * 8), (34, k * 30), (58, k * 22)] if k > 0 else [(14, -8), (2, -32), (-20, -34)], False), 9, 7)), "#a8683f")
            c.put(at(band([(-30, k * 6), (-72, k * 13)], 10, 6)), "#a8683f")
        c.put(at(ell(-4, 0, 36, 15)), INK if cap != PLUM else WINE, volume=0.15, bevel=6)
        c.put(at(ell(40, 0, 15, 14)), cap, volume=0.25, bevel=5)
    for px, py, spin, tone in ((140, 830, 14, CLAY), (300, 868, -10, TEAL), (760, 888, 6, OCHRE)):
        c.solid(rect(px - 58, py - 27, px + 58, py + 27, 3, spin), tone, shade=0.3, drop=(5, 7, 5))
        c.put(rect(px - 58, py - 8, px + 58, py + 8, 0, spin), CREAM, opacity=0.8)
    for px, py, r in ((60, 770, 58), (450, 872, 52)):
        c.shadow(ell(px, py, r), 26, 30, 10, 0.4)
        for k in range(12):
            wedge = [(px, py)] + [(px + r * math.cos(math.radians(a)), py + r * math.sin(math.radians(a))) for a in (k * 30, k * 30 + 15, k * 30 + 30)]
            c.put(wedge, (CLAY, WHITE)[k % 2] if px < 200 else (OCHRE, WHITE)[k % 2])
        c.put(ell(px, py, 6), CHAR)
    return c.image(0.008)


# ---------------------------------------------------------------- wellness


def heatwave():
    rng = random.Random(91)
    c = Canvas("#2a3a5c", "#3b4468")
    c.spread(c.noise(600, 3) * 0.4 + 0.2, "#465283", 0.4)
    pane = rect(560, 70, 1180, 560)
    c.shadow(rect(530, 40, 1210, 590, 4), 12, 16, 16, 0.4)
    c.put(rect(530, 40, 1210, 590, 4), "#d9d0c4", "#8f8a94", 60)
    clip = c.mask(pane)
    c.put(pane, "#131c3a", "#5d5a8c", 90)
    for _ in range(130):
        c.put(ell(rng.uniform(560, 1180), rng.uniform(70, 420), rng.choice((0.9, 1.2, 1.7))), WHITE, opacity=rng.uniform(0.3, 0.95))
    c.glow(990, 205, 380, "#ffe9bd", 0.35)
    c.put(ell(990, 205, 70), "#fff3d4", "#f0d7a0", 60)
    for px, py, r in ((970, 190, 14), (1012, 226, 18), (1000, 172, 8), (960, 236, 9)):
        c.put(ell(px, py, r), "#dcbf88", opacity=0.4, soft=3)
    for seed, y, height, colour in ((3, 430, 40, "#4a4a78"), (7, 480, 44, "#34375f"), (2, 530, 30, "#232747")):
        c.put(ridge(y, height, seed), colour, clip=clip)
    for x in (870,):
        c.put(rect(x - 7, 70, x + 7, 560), "#cfc6bc", "#8a8592", 0)
    c.put(rect(560, 308, 1180, 322), "#cfc6bc", "#8a8592", 90)
    c.put([(700, 620), (1180, 620), (1480, 910), (560, 910)], "#c4d0f0", opacity=0.14, soft=24)
    c.put(rect(470, 24, 1270, 38, 7), "#a8793f", "#6d4a24", 90)
    for side, x0, x1, sway in ((1, 480, 700, 70), (-1, 1258, 1090, -30)):
        for k in range(12):
            a, b = x0 + (x1 - x0) * k / 12, x0 + (x1 - x0) * (k + 1.25) / 12
            mid = sway * math.sin(k * 0.7 + 1)
            fold = smooth([(a, 34), (a + sway * 0.4 + mid * 0.3, 330), (a + sway * (1 + k * 0.09), 660)], False) + smooth([(b + sway * (1 + k * 0.09), 660), (b + sway * 0.4 + mid * 0.3, 330), (b, 34)], False)
            c.put(fold, "#f4ead9" if k % 2 else "#cfc7cf", "#a9a8c0", 90, opacity=0.52, soft=2)
    bed = smooth([(-60, 690), (260, 640), (700, 668), (1120, 640), (1400, 690), (1460, 960), (-60, 960)])
    c.shadow(bed, 0, -14, 22, 0.35)
    c.put(bed, "#ece6e4", "#9a9cb8", 90, tex=(200, 0.04))
    clip = c.mask(bed)
    for k in range(26):
        y0 = 650 + rng.uniform(0, 230)
        x0 = rng.uniform(260, 1250)
        curve = smooth([(x0, y0), (x0 + rng.uniform(60, 140), y0 + rng.uniform(-24, 30)), (x0 + rng.uniform(180, 340), y0 + rng.uniform(-20, 60))], False)
        c.put(band(curve, rng.uniform(14, 34), 4), "#7d82a8", opacity=0.3, soft=7, clip=clip)
        c.put(band([(px, py - 12) for px, py in curve], 14, 4), WHITE, opacity=0.35, soft=6, clip=clip)
    throw = smooth([(760, 742), (1040, 700), (1330, 716), (1480, 800), (1480, 960), (700, 960), (720, 830)])
    c.shadow(throw, -6, -8, 12, 0.3)
    c.put(throw, "#b9604a", "#6a3340", 80, volume=0.1, bevel=20, tex=(60, 0.05))
    clip = c.mask(throw)
    for k in range(5):
        line = smooth([(700, 800 + k * 46), (1040, 748 + k * 46), (1480, 800 + k * 46)], False)
        c.put(band(line, 9), "#edc9a0", opacity=0.5, clip=clip)
    for px, py, spin, tone in ((210, 610, -8, "#dcd8e2"), (420, 632, 6, "#f6f0ea")):
        pillow = turn(smooth([(px - 190, py - 60), (px, py - 86), (px + 190, py - 60), (px + 208, py), (px + 186, py + 84), (px, py + 70), (px - 186, py + 84), (px - 208, py)]), spin, px, py)
        c.solid(pillow, tone, to=mix(tone, INK, 0.3), angle=80, volume=0.2, bevel=34, shade=0.4)
    c.put(rect(1392, 690, 1592, 716, 6), "#9a6a42", "#5d3c2a", 0)
    c.put(rect(1408, 716, 1576, 930), "#7a5036", "#442c28", 0)
    c.put(rect(1424, 742, 1560, 808, 4), "#8d5f40", "#52362c", 0)
    c.put(ell(1492, 776, 8), OCHRE)
    c.glow(1480, 560, 380, "#ffb765", 0.12)
    c.put(rect(1442, 668, 1498, 690, 8), "#3d4a6d")
    c.put(rect(1464, 590, 1476, 676), "#56648c")
    for k in range(3):
        c.put(leaf(1470, 530, 92, 74, 20 + k * 120, 0.12), "#8ea6c4", "#4a5f88", 60, volume=0.12)
    guard = ell(1470, 530, 106)
    for r in (106, 78, 50):
        guard = ell(1470, 530, r)
        c.put(band(guard + guard[:1], 3.4), "#c9d2e4", opacity=0.85)
    for k in range(12):
        a = math.radians(k * 30)
        c.put(band([(1470 + 20 * math.cos(a), 530 + 20 * math.sin(a)), (1470 + 106 * math.cos(a), 530 + 106 * math.sin(a))], 2), "#c9d2e4", opacity=0.7)
    c.put(ell(1470, 530, 20), "#e0b070", volume=0.2)
    c.put([(1530, 618), (1576, 618), (1570, 690), (1536, 690)], "#cfe0ee", opacity=0.45)
    c.put([(1533, 642), (1573, 642), (1570, 690), (1536, 690)], "#9cc4d8", opacity=0.7)
    return c.image(0.013, 0.24)


def jacaranda():
    rng = random.Random(97)
    vx, vy = 800, 470
    c = Canvas("#f6dfc4")
    c.put(rect(-5, -5, W + 5, vy + 5), "#a9cfd6", "#fbe8c8", 90)
    c.glow(800, 430, 700, "#fff4d6", 0.3, add=False)
    c.put(ridge(440, 16, 12), "#b9b5c6", "#d9cdc8", 90)
    for x in range(-40, W + 60, 34):  # garden hedges behind the trees
        far = abs(x - vx) / vx
        h = 26 + 110 * far + (x * 7) % 23
        c.put(ell(x, vy + 30 * far - h * 0.3, 44, h), mix("#5f7d55", "#c9cdb0", 0.55 * (1 - far)), mix("#3f5c42", "#c9cdb0", 0.55 * (1 - far)), 90, volume=0.1)
    c.put(rect(-5, vy, W + 5, H + 5), "#a9b37c", "#6f8552", 90, tex=(60, 0.08))
    for side in (-1, 1):
        c.put([(vx + side * 40, vy - 4), (W * (side > 0), vy - 40), (W * (side > 0), vy + 60), (vx + side * 40, vy + 4)], "#efdcc2", "#d5b99a", 90)
    c.put([(vx - 16, vy), (vx + 16, vy), (1330, 905), (270, 905)], "#c3b3b4", "#8d7d88", 90, tex=(60, 0.05))
    for side in (-1, 1):
        c.put([(vx + side * 16, vy), (vx + side * 20, vy), (vx + side * 600, 905), (vx + side * 530, 905)], "#efe0d4", "#cdb6b4", 90)
    c.put([(vx - 34, vy), (vx + 34, vy), (vx + 10, vy - 22), (vx - 12, vy - 20)], "#b7a6c4", soft=6)
    for depth in range(9, -1, -1):
        z = 1.0 + depth * 0.95
        for side in (-1, 1):
            bx, by = vx + side * 830 / z, vy + 400 / z
            size = 560 / z
            fade = min(0.72, depth * 0.075)
            trunk = smooth([(bx, by), (bx - side * size * 0.03, by - size * 0.4), (bx - side * size * 0.12, by - size * 0.85)], False)
            c.put(band(trunk, 66 / z, 34 / z), mix("#4d3b44", "#e9d3cc", fade), mix("#2f2630", "#e9d3cc", fade), 0)
            for spread in (-0.5, 0.15, 0.62):
                limb = smooth([trunk[-6], (bx - side * size * (0.1 + spread * 0.4), by - size * 1.05), (bx - side * size * spread * 1.3, by - size * 1.4)], False)
                c.put(band(limb, 26 / z, 8 / z), mix("#43343e", "#e9d3cc", fade))
            c.put(ell(bx - side * size * 0.2, by + 6 / z, size * 0.85, size * 0.1), mix("#5a4a86", "#e9d3cc", fade), opacity=0.35, soft=18 / z)
            for layer in range(3):
                for _ in range(int(330 / (1 + depth * 0.4))):
                    a, d = rng.uniform(0, 6.3), rng.random() ** 0.5
                    px = bx - side * size * 0.22 + size * 1.0 * d * math.cos(a)
                    py = by - size * 1.35 + size * 0.52 * d * math.sin(a)
                    light = (0.5 - 0.5 * math.sin(a) * d) * 0.5 + layer * 0.16 + rng.uniform(-0.1, 0.16)
                    tone = mix(mix("#5a4594", "#9a80d0", min(1, light * 1.5)), "#e3d0ee", max(0, light - 0.45) * 1.1)
                    r = size * rng.uniform(0.022, 0.055) * (1.25 - layer * 0.25)
                    c.put(blob(px, py, r * 1.25, r, 0.3, rng, 6), mix(tone, "#f3dfd6", fade), opacity=0.93)
    for _ in range(2600):
        t = rng.random() ** 0.7
        y = vy + 8 + 425 * t
        x = rng.gauss(0, 1) * 200 * t + vx + rng.choice((-1, 1)) * 620 * t
        r = 1 + 8 * t
        c.put(ell(x, y, r, r * 0.45, rng.uniform(-30, 30)), mix("#6f5fae", "#d9c8f0", rng.random()), opacity=0.9)
    for _ in range(90):
        c.put(ell(rng.uniform(0, W), rng.uniform(250, 850), rng.uniform(3, 7), 3, rng.uniform(0, 180)), mix("#8f7cc8", "#e0d2f2", rng.random()), opacity=0.85)
    x, y = 850, 740
    c.put(ell(x + 20, y + 4, 70, 9), INK, opacity=0.35, soft=7)
    c.put(band([(x - 6, y - 86), (x - 20, y - 44), (x - 18, y)], 19, 11), INK)
    c.put(band([(x + 6, y - 86), (x + 20, y - 42), (x + 33, y - 4)], 19, 11), mix(INK, CHAR, 0.4))
    c.put(smooth([(x - 24, y - 176), (x, y - 188), (x + 24, y - 176), (x + 22, y - 120), (x + 24, y - 80), (x - 24, y - 80), (x - 22, y - 120)]), CLAY, RUST, 20, volume=0.1)
    c.put(band(smooth([(x - 22, y - 168), (x - 38, y - 126), (x - 30, y - 92)], False), 13, 9), RUST)
    c.put(band(smooth([(x + 22, y - 168), (x + 40, y - 132), (x + 62, y - 108)], False), 13, 9), CLAY)
    c.put(ell(x, y - 206, 17, 20), "#6b4028")
    c.put(smooth([(x - 20, y - 208), (x - 14, y - 232), (x + 8, y - 236), (x + 21, y - 212), (x + 14, y - 198), (x - 14, y - 198)]), CHAR)
    c.put(ell(x + 4, y - 238, 10), CHAR)
    c.put(band(smooth([(x + 62, y - 108), (x + 100, y - 70), (x + 128, y - 56)], False), 3), CHAR)
    c.put(smooth([(x + 118, y - 60), (x + 190, y - 62), (x + 198, y - 30), (x + 120, y - 28)]), "#b9824e", "#7a5030", 90, volume=0.12)
    for lx in (124, 138, 180, 192):
        c.put(band([(x + lx, y - 38), (x + lx + (6 if lx in (124, 192) else -5), y)], 9, 6), "#8d5f38")
    c.put(ell(x + 118, y - 72, 20, 16, 20), "#b9824e")
    c.put(leaf(x + 126, y - 82, 26, 14, 70), "#7a5030")
    c.put(band(smooth([(x + 194, y - 56), (x + 214, y - 74), (x + 216, y - 94)], False), 8, 4), "#b9824e")
    return c.image(0.008, 0.14)


# ---------------------------------------------------------------- the magazine's own marks


def sprig(size, colours, leaf_share=0.2):
    """A spekboom sprig as points and colours, in a square of the given size."""
    s = size / 100
    parts = [(band([(50 * s, 92 * s), (51 * s, 60 * s), (49 * s, 22 * s)], 5 * s, 3 * s), colours[0])]
    for k, (y, r) in enumerate(((74, 15), (54, 13.5), (36, 11.5))):
        for side in (-1, 1):
            parts.append((ell((50 + side * (r + 3)) * s, (y - 5) * s, r * s, r * 0.74 * s, side * -24), colours[1 + (k + (side > 0)) % 2]))
    parts.append((ell(49 * s, 15 * s, 8.5 * s, 10.5 * s), colours[2]))
    return parts


def icon():
    size, k = 512, 4
    img = Image.new("RGB", (size * k, size * k), FOREST)
    draw = ImageDraw.Draw(img)
    draw.ellipse([(36 * k, 36 * k), ((size - 36) * k, (size - 36) * k)], fill=CREAM)
    for pts, colour in sprig(330 * k, (RUST, LEAF, FOREST)):
        draw.polygon([(x + 91 * k, y + 88 * k) for x, y in pts], fill=colour)
    return img.resize((size, size), Image.LANCZOS)


def logo():
    """A sprig on a rounded tile of its own colour, so that it reads on light and on dark pages."""
    w, h, k = 144, 144, 8
    img = Image.new("RGBA", (w * k, h * k), (0, 0, 0, 0))
    draw = ImageDraw.Draw(img)
    draw.rounded_rectangle([(0, 0), (w * k - 1, h * k - 1)], 30 * k, fill=CLAY)
    for pts, colour in sprig(112 * k, (CREAM, CREAM, "#f3d9a8")):
        draw.polygon([(x + 16 * k, y + 15 * k) for x, y in pts], fill=colour)
    return img.resize((w, h), Image.LANCZOS)


PICTURES = {
    "food/bobotie-for-a-crowd/bobotie.jpg": bobotie,
    "food/rooibos-beyond-the-teacup.jpg": rooibos,
    "food/heritage-day-fire.webp": braai,
    "food/padkos-for-december.jpg": padkos,
    "beauty/exosomes-decoded/exosomes.jpg": exosomes,
    "beauty/sunscreen-at-altitude.png": sunscreen,
    "beauty/cape-botanicals.jpg": botanicals,
    "home/spekboom-the-forgiving-plant.jpg": spekboom,
    "home/balcony-herb-garden.png": balcony,
    "home/a-stoep-worth-sitting-on.jpg": stoep,
    "travel/three-days-in-the-karoo.jpg": karoo,
    "travel/west-coast-flower-season.jpg": flowers,
    "travel/tidal-pools-for-beginners.webp": tidal_pool,
    "wellness/sleeping-through-a-heatwave.jpg": heatwave,
    "wellness/a-walk-before-breakfast.jpg": jacaranda,
    "icon.png": icon,
    "logo.png": logo,
}


def save(img, path):
    """Writes a picture in the format its name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        if img.mode == "RGB":  # the flat drawings need few colours
            img = img.quantize(192, Image.MEDIANCUT, dither=Image.NONE)
        img.save(path, optimize=True)
    else:
        how = {"method": 6} if path.suffix == ".webp" else {"optimize": True, "progressive": True}
        for quality in range(82, 50, -2):  # the best quality that a reader on a phone can afford
            img.save(path, quality=quality, **how)
            if path.stat().st_size <= LIMIT:
                break
    print(f"{path} {path.stat().st_size / 1000:.0f} kB")


def main():
    wanted = sys.argv[1:]
    for name, draw in PICTURES.items():
        if not wanted or any(word in name for word in wanted):
            save(draw(), CONTENT / name)


if __name__ == "__main__":
    main()
