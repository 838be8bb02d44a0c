import os

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast

from .indexes import LearnedIndex

# The second form of the models, for the migration that changes an index.
CHANGED = "CHANGED" in os.environ


class Device(models.Model):
    name = models.CharField(max_length=20)


class Reading(models.Model):
    # db_index=False: otherwise Django makes a btree of its own.
    device = models.ForeignKey(Device, on_delete=models.CASCADE, db_index=False)
    taken_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    meter = models.DecimalField(max_digits=18, decimal_places=0)
    archived = models.BooleanField(default=False)

    class Meta:
        indexes = [
            LearnedIndex(fields=["taken_at"], name="reading_taken_at", fillfactor=100),
            LearnedIndex(F("ended_at").desc(nulls_last=True), name="reading_ended_at"),
            LearnedIndex(Cast("meter", models.BigIntegerField()), name="reading_meter"),
            LearnedIndex(
                fields=["device"],
                condition=Q(archived=CHANGED),
                name="reading_device",
            ),
            LearnedIndex(fields=["-id"]),
        ]
