"""Prints the expected values of jitter.tests.cpp: Pillow's brightness and contrast on a small pattern."""
from PIL import Image, ImageEnhance

picture = Image.new("RGB", (16, 16))
picture.putdata([((x * 37 + y * 11) % 256, (x * 5 + y * 59) % 256, (x * y * 7) % 256) for y in range(16) for x in range(16)])


def digest(image):
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in image.tobytes():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


for factor in (0.8, 0.93, 1.0, 1.07, 1.2):
    b = ImageEnhance.Brightness(picture).enhance(factor)
    c = ImageEnhance.Contrast(picture).enhance(factor)
    print(f"{{{factor}, 0x{digest(b):016x}, 0x{digest(c):016x}}},")
both = ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(1.13)).enhance(0.92)
print(f"brightness then contrast 0x{digest(both):016x}")
both = ImageEnhance.Brightness(ImageEnhance.Contrast(picture).enhance(0.92)).enhance(1.13)
print(f"contrast then brightness 0x{digest(both):016x}")
