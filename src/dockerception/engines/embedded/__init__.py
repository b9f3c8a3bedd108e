"""The engine that needs no daemon: evaluate -> key -> execute, one small module each.

``evaluate`` is pure and knows what every step will do and what the image's config will be; ``keys`` names each step's
result before it exists; ``solve`` looks those names up and executes what is missing, through ``copying`` and
``running``; ``faces`` makes a layer's tree, blob or toc when one is first needed; ``finish`` makes images of stages.
"""
